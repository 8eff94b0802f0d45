import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import { PostgresWriteError } from "./errors.ts";
import type { Statement } from "./statement.ts";
import { within } from "./time.ts";

/** How long, in milliseconds, it may take until it is known what became of a statement. */
const LIMIT = 120_000;

/** How long, in milliseconds, one question may take. */
const ANSWER_WITHIN = 5_000;

/** Longest pause between two questions, in milliseconds. */
const LONGEST_PAUSE = 1_000;

/** How long, in milliseconds, a backend has made no progress that is ended under a statement. */
export const PATIENCE = 1_000;

/**
 * Makes sure that a statement without an answer takes no effect any more: its backend is ended, and
 * looked for until it is gone.
 *
 * @returns Whether that is known. It is not where the server is out of reach for too long, or behind a
 * pooler, which does not say who the backend is.
 */
export async function makeSure(sql: Sql, statement: Statement): Promise<boolean> {
  const until = performance.now() + LIMIT;
  for (let pause = 10;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    if (statement.isAnswered) return true;
    const backend = await lookFor(sql, statement);
    if (backend === "gone") return true;
    if (backend === "unknowable" || performance.now() + pause > until) return statement.isAnswered;
    // A connection that breaks brings no answer, and the pause is all there is to wait for.
    await within(statement.end === undefined ? statement.ended : NEVER, pause);
  }
}

const NEVER = new Promise<void>(() => {});

/**
 * Ends the backend, and tells whether it was there. One that has started after the statement was sent
 * is another one, to which the system has given the same number.
 */
async function lookFor(
  sql: Sql,
  { sentTo, end }: Statement,
): Promise<"gone" | "there" | "unknowable"> {
  const { pid, at } = sentTo!;
  const age = Math.floor(performance.now() - at);
  // As long as its connection is whole, others may wait behind it for what it is doing.
  const stuckFor = end === undefined ? PATIENCE : 0;
  const question = `select pg_backend_pid() || ' ' || count(*) || ' ' || count(
      case when state_change < clock_timestamp() - interval '${stuckFor} ms'
        then pg_terminate_backend(pid) end)
    from pg_stat_activity where pid = ${pid} and pid <> pg_backend_pid()
      and backend_start < clock_timestamp() - interval '${age} ms'`;
  try {
    const answer = await ask(sql, question, {
      intent: "look for a backend",
      limit: ANSWER_WITHIN,
      reset: false,
    });
    const [own, count] = cellOf(answer).split(" ").map(Number);
    // A pooler has told the driver a number of its own.
    if (own !== answer.state.pid) return "unknowable";
    return count === 0 ? "gone" : "there";
  } catch (error) {
    return error instanceof PostgresWriteError && error.retryable ? "there" : "unknowable";
  }
}
