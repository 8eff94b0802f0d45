import type { Row } from "./table.ts";

/** Rows that are saved in one go. */
export const ROWS = 10_000;

/** Callers of a busy service; the other case is one for each row, so that all are added at once. */
export const CALLERS = 100;

/** Saves rows by so many callers, each of which awaits its row before it goes on with the next. */
export async function saveAll(
  save: (row: Row) => Promise<unknown>,
  rows: readonly Row[],
  callers: number,
): Promise<void> {
  let next = 0;

  async function call(): Promise<void> {
    while (next < rows.length) await save(rows[next++]);
  }

  await Promise.all(Array.from({ length: callers }, call));
}
