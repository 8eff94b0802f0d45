import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import { PostgresWriteError } from "./errors.ts";
import type { Statement } from "./statement.ts";
import { within } from "./time.ts";

/** How long it may take to find out what became of a statement, in milliseconds. */
const LIMIT = 120_000;

/** How long one question may take, in milliseconds. */
const ANSWER_WITHIN = 5_000;

/** Longest pause between two questions, in milliseconds. */
const LONGEST_PAUSE = 1_000;

/** How long a backend must have been stuck before it is ended, in milliseconds. */
export const PATIENCE = 1_000;

/**
 * Makes sure that a statement without an answer no longer takes effect: ends its backend, and checks
 * until it is gone.
 *
 * @returns Whether that is known. It is not if the server cannot be reached for too long, or is behind
 *   a pooler, which does not say who the backend is.
 */
export async function makeSure(sql: Sql, statement: Statement): Promise<boolean> {
  const until = performance.now() + LIMIT;
  for (let pause = 10;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    if (statement.isAnswered) return true;
    const backend = await lookFor(sql, statement);
    if (backend === "gone") return true;
    if (backend === "unknowable" || performance.now() + pause > until) return statement.isAnswered;
    // If the connection breaks there is no answer, and only the pause to wait for.
    await within(statement.end === undefined ? statement.ended : NEVER, pause);
  }
}

const NEVER = new Promise<void>(() => {});

/**
 * Ends the backend, and returns whether it was there. A backend that started after the statement was
 * sent is another one, with the same process id.
 */
async function lookFor(
  sql: Sql,
  { sentTo, end }: Statement,
): Promise<"gone" | "there" | "unknowable"> {
  const { pid, at } = sentTo!;
  const age = Math.floor(performance.now() - at);
  // While its connection is intact, other statements may wait behind it.
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
    // A pooler gave the driver a process id of its own.
    if (own !== answer.state.pid) return "unknowable";
    return count === 0 ? "gone" : "there";
  } catch (error) {
    return error instanceof PostgresWriteError && error.retryable ? "there" : "unknowable";
  }
}
