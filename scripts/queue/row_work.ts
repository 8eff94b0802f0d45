import type { WorkPool } from "../../pool.ts";
import { inOneLine } from "../job/job.ts";
import { plain } from "../run/items.ts";
import { type Column, rowMaker } from "../run/results.ts";
import type { JobWork } from "./queue_worker.ts";

/** A pool with a function of the user's. */
export type RowPool = WorkPool<{ default(row: Record<string, unknown>): unknown }>;

/**
 * Calls a function of the user's with the rows of jobs.
 *
 * @param id The column of the id, in the table.
 * @param known The columns of the table, if it is there.
 */
export function rowWork(
  pool: Pick<RowPool, "run">,
  id: string,
  known: readonly Column[] | undefined,
): JobWork {
  const makeRow = rowMaker(id, known);
  return {
    columns: [],
    rows: true,
    async compute({ id, carried }, { signal }) {
      const row = plain(carried) as Record<string, unknown>;
      return makeRow(id, await pool.run(row, { signal }));
    },
    reason: (error) => inOneLine((error as Error).message),
  };
}
