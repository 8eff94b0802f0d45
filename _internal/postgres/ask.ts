import type { Sql } from "postgres";
import { PostgresWriteError, withoutValues } from "./errors.ts";
import { silenceDetector } from "./socket.ts";
import { type Answer, Statement } from "./statement.ts";
import { orAborted, within } from "./time.ts";

/** How long the server may take to answer, in milliseconds: as long as an attempt by default. */
const LIMIT = 30_000;

/** Options of {@linkcode ask}. */
export interface AskOptions {
  /** What fails without the answer. */
  readonly intent: string;
  readonly parameters?: readonly (string | null)[];
  /** Cancels the question. */
  readonly signal?: AbortSignal;
  /**
   * How long to wait for the answer, in milliseconds.
   *
   * @default {30_000}
   */
  readonly limit?: number;
  /**
   * Whether to reset connections that were silent all the time.
   *
   * @default {true}
   */
  readonly reset?: boolean;
  /**
   * Whether it is a prepared statement.
   *
   * @default {false}
   */
  readonly prepare?: boolean;
  /**
   * Whether the server's own words may be shown: where no value is asked about, none is in them.
   *
   * @default {false}
   */
  readonly quotable?: boolean;
}

/**
 * Asks the server something that changes nothing, and waits a limited time for the answer. Without an
 * answer, no row has been sent.
 */
export async function ask(
  sql: Sql,
  text: string,
  options: AskOptions,
): Promise<Answer> {
  const { intent, parameters, signal, limit = LIMIT, reset = true, prepare = false } = options;
  const refusal = (why: string) =>
    new PostgresWriteError("57014", `Cannot ${intent} as ${why}`, { sent: false });
  if (signal?.aborted) throw refusal("it was called off");
  const resetSilent = reset ? silenceDetector(sql.options) : undefined;
  const statement = new Statement(sql, text, parameters, { prepare });
  const { ended } = statement;
  await within(signal === undefined ? ended : orAborted(ended, signal), limit);
  if (statement.end === undefined) {
    if (!statement.withdraw()) resetSilent?.();
    throw refusal(
      signal?.aborted
        ? "it was called off before the server answered"
        : `the server has not answered for ${limit / 1_000} s`,
    );
  }
  if ("result" in statement.end) return statement.end.result;
  const { error } = statement.end;
  const safe = withoutValues(error, intent, { sent: false });
  if (!options.quotable || !statement.isAnswered || !(safe instanceof PostgresWriteError)) {
    throw safe;
  }
  throw new PostgresWriteError(
    safe.code,
    `Cannot ${intent} as the server refuses to: ${(error as Error).message} (${safe.code})`,
    { sent: false },
  );
}

/** The one cell of an answer that is one row. */
export function cellOf(answer: Answer): string {
  return new TextDecoder().decode(answer[0][0]);
}
