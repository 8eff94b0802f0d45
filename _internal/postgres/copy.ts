import type { ReservedSql, Sql } from "postgres";
import { PostgresWriteError, withoutValues } from "./errors.ts";
import { type Method, type RowOutcome, rowsOf, unnestMethod } from "./methods.ts";
import type { Table } from "./table.ts";
import { copyLine } from "./text.ts";
import { type Statement, watch } from "./watchdog.ts";

/** COPY, on a connection of its own. It knows no conflicts. */
export function copyMethod(sql: Sql, table: Table): Method {
  const statement = `copy ${table.quoted} (${
    table.columns.map(({ quoted }) => quoted)
  }) from stdin`;
  const unnest = unnestMethod(sql, table, undefined);
  return async (cells, signal) => {
    const lines = rowsOf(cells).map(copyLine).join("");
    const reserved = await reserve(sql, signal);
    if (await copy(sql, reserved, { statement, lines, signal })) {
      return Array<RowOutcome>(cells[0].length).fill("inserted");
    }
    // COPY is all or nothing, and it was nothing. The driver loses the server's words for it (it
    // has none to give them to once the data are out), so the same rows are sent in a way that
    // brings an answer.
    return await unnest(cells, signal);
  };
}

/** A connection of the pool, unless the batch is aborted before there is one. */
async function reserve(sql: Sql, signal: AbortSignal): Promise<ReservedSql> {
  const reserved = await sql.reserve().catch((error) => {
    throw withoutValues(error, { sent: false });
  });
  if (!signal.aborted) return reserved;
  reserved.release();
  throw new PostgresWriteError("57014", "Cannot save rows that were aborted");
}

/**
 * Resolves with whether the server took the rows.
 *
 * The connection goes back to the pool when the server has answered all that was sent on it. One that
 * broke must not: the driver has closed it already, and would end the program with a TypeError when
 * it is used again.
 */
async function copy(
  sql: Sql,
  reserved: ReservedSql,
  { statement, lines, signal }: { statement: string; lines: string; signal: AbortSignal },
): Promise<boolean> {
  const query = reserved.unsafe(statement);
  let unwatch = watch(sql, query as Statement, signal);
  try {
    const stream = await query.writable().catch((error) => {
      const safe = withoutValues(error);
      if (safe instanceof PostgresWriteError && safe.severity === "ERROR") reserved.release();
      throw safe;
    });
    // For the driver it has ended now.
    unwatch();
    unwatch = watch(sql, { state: (query as Statement).state, active: true }, signal);
    const [sent, broken] = [Promise.withResolvers<void>(), Promise.withResolvers<never>()];
    let saved = false;
    stream.on("error", broken.reject);
    broken.promise.catch(() => {});
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
    stream.end(lines);
    await Promise.race([broken.promise, sent.promise]);
    // A COPY that fails after its last byte settles nothing. But the next statement on the same
    // connection is answered after it, whether it failed or not. It has to be an empty one: the
    // driver takes the next "complete" for that of the COPY, and an empty statement has none.
    await Promise.race([broken.promise, reserved.unsafe("")]);
    reserved.release();
    return saved;
  } catch (error) {
    throw withoutValues(error);
  } finally {
    unwatch();
  }
}
