import type { Sql } from "postgres";
import { nextTurn } from "../shared/event_loop.ts";
import { requestCancel } from "./cancel.ts";
import { PostgresWriteError, withoutValues } from "./errors.ts";
import { makeSure, PATIENCE } from "./fence.ts";
import { goOnUnprepared, notePrepared, withoutPrepared } from "./prepared.ts";
import { type ConnectOptions, silenceDetector } from "./socket.ts";
import { type Answer, lost, Statement } from "./statement.ts";
import { orAborted, within } from "./time.ts";

/** Options of {@linkcode run}. */
export interface RunOptions {
  /** Its values, as text. */
  readonly parameters: readonly (string | null)[];
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Whether it changes nothing, so that it may go on. */
  readonly reads?: boolean;
  /** Whether it must be known to be over even if its connection breaks before the answer. */
  readonly fenced?: boolean;
}

/**
 * Runs a statement, prepared once per connection. Where a pooler loses prepared statements, this one
 * and all others of the instance go on without.
 *
 * An aborted statement is not just left alone. The server is asked to cancel it. If that does not help
 * within a second, its connection is reset, and if no answer came, its backend is ended. So this
 * settles only when the statement is over, or it rejects with `over: false`.
 */
export async function run(sql: Sql, text: string, options: RunOptions): Promise<Answer> {
  const { parameters, signal, reads = false, fenced = false } = options;
  await orAborted(withoutPrepared(sql), signal);
  if (signal.aborted) throw notSent();
  const resetSilent = silenceDetector(sql.options);
  const statement = new Statement(sql, text, parameters, { prepare: true });
  notePrepared(sql, statement);
  await orAborted(statement.ended, signal);
  if (statement.end === undefined) {
    if (statement.withdraw()) throw notSent();
    await cancel(sql, statement);
    if (statement.end === undefined) resetSilent?.();
  }
  const isHarmless = reads || statement.isAnswered || !statement.hasLeft;
  const over = isHarmless || (fenced || signal.aborted) && await makeSure(sql, statement);
  const { end } = statement;
  if (end !== undefined && "result" in end) return end.result;
  if (statement.isMisprepared) {
    goOnUnprepared(sql);
    return await run(sql, text, options);
  }
  const error = end?.error ?? lost("no answer came");
  // The driver loses statements that come before it notices that a connection is closed.
  if (!statement.isAnswered) await nextTurn();
  const intent = reads ? "look up keys" : "save rows";
  throw withoutValues(error, intent, { over, sent: statement.hasLeft && !reads });
}

/** Asks the server to cancel a statement, and gives it time to do so. */
async function cancel(sql: Sql, { isActive, sentTo, ended }: Statement): Promise<void> {
  const options = sql.options as unknown as ConnectOptions;
  // A statement behind others cannot be cancelled: the request would hit the first of them.
  const requested = isActive ? requestCancel(options, sentTo!, ended) : undefined;
  await within(ended, PATIENCE);
  await requested;
}

function notSent(): PostgresWriteError {
  return new PostgresWriteError("57014", "Cannot save rows that were aborted", { sent: false });
}
