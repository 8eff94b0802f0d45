import type { Sql } from "postgres";
import { withoutValues } from "./postgres_errors.ts";
import { type Method, type RowOutcome, rowsOf, unnestMethod } from "./postgres_methods.ts";
import type { Table } from "./postgres_table.ts";
import { copyLine } from "./postgres_text.ts";

/** COPY, on a connection of its own. It knows no conflicts. */
export function copyMethod(sql: Sql, table: Table): Method {
  const statement = `copy ${table.quoted} (${
    table.columns.map(({ quoted }) => quoted)
  }) from stdin`;
  const unnest = unnestMethod(sql, table, undefined);
  return async (cells, signal) => {
    const lines = rowsOf(cells).map(copyLine).join("");
    if (await copy(sql, statement, lines, signal)) {
      return Array<RowOutcome>(cells[0].length).fill("inserted");
    }
    // COPY is all or nothing, and it was nothing. The driver loses the server's words for it (it
    // has none to give them to once the data are out), so the same rows are sent in a way that
    // brings an answer.
    return await unnest(cells, signal);
  };
}

/** Resolves with whether the server took the rows. */
async function copy(
  sql: Sql,
  statement: string,
  lines: string,
  signal: AbortSignal,
): Promise<boolean> {
  const reserved = await sql.reserve().catch((error) => {
    throw withoutValues(error);
  });
  try {
    const stream = await reserved.unsafe(statement).writable();
    const [sent, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<never>()];
    let saved = false;
    stream.on("error", failed.reject);
    failed.promise.catch(() => {});
    // Its callback is called as soon as the server has said that the COPY is complete. The event
    // "finish" comes a turn later, and that may be after the answer to the next statement.
    const final = stream._final;
    stream._final = (done) => {
      final.call(stream, (error) => {
        saved = !error;
        done(error);
      });
      sent.resolve();
    };
    const abort = () => stream.destroy(new Error("aborted"));
    signal.addEventListener("abort", abort);
    try {
      stream.end(lines);
      await Promise.race([failed.promise, sent.promise]);
      // A COPY that fails after its last byte settles nothing. But the next statement on the same
      // connection is answered after it, whether it failed or not. It has to be an empty one: the
      // driver takes the next "complete" for that of the COPY, and an empty statement has none.
      await Promise.race([failed.promise, reserved.unsafe("")]);
      return saved;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  } catch (error) {
    throw withoutValues(error);
  } finally {
    reserved.release();
  }
}
