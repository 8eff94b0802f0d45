import type { Row } from "./table.ts";

/** Milliseconds between two rows. */
export const INTERVAL = 4;

/** Adds a row every few milliseconds, and takes the time from there to the commit of each. */
export async function timeEach(
  save: (row: Row) => Promise<unknown>,
  rows: readonly Row[],
): Promise<number[]> {
  async function time(row: Row): Promise<number> {
    const start = performance.now();
    await save(row);
    return performance.now() - start;
  }

  const times: Promise<number>[] = [];
  for (const row of rows) {
    times.push(time(row));
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
  return await Promise.all(times);
}
