import { ScriptError } from "../cli/run.ts";
import { delimiterOf, type Format } from "../input/format.ts";
import { openInput } from "../input/input.ts";
import { readPages } from "../input/pages.ts";

/** What a function is called with, item by item. */
export interface Items {
  readonly count: number;
  readonly task: (id: number) => unknown;
  /** Which item that is, for people. */
  readonly place: (id: number) => string;
}

/** The numbers from 0. */
export function numbers(count: number): Items {
  return { count, task: (id) => id, place: (id) => `item ${id}` };
}

/** Items from a file. */
export interface InputItems extends Items {
  /** Rows that cannot be used. Never with their text. */
  readonly skipped: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Reads the rows of a file.
 *
 * @param count How many at most; rows behind them are not looked at.
 * @throws {ScriptError} If the file cannot be read, or has no row that can be used.
 */
export async function readItems(
  path: string,
  { format, count = Infinity }: { format: Format; count?: number | undefined },
): Promise<InputItems> {
  const rows: { line: number; value: unknown }[] = [];
  const skipped: { line: number; reason: string }[] = [];
  await using input = await openInput(path);
  const pages = readPages(input.chunks(new AbortController().signal), {
    format,
    wanted: [],
    delimiter: delimiterOf(path),
    // A number that JavaScript would change is an object of its own, which no worker takes.
    makeRow: ({ line, value }) => ({ line, value: JSON.parse(JSON.stringify(value)) }),
  });
  reading: for await (const page of pages) {
    for (const row of page) {
      if (rows.length >= count) break reading;
      if ("reason" in row) skipped.push(row);
      else rows.push(row);
    }
  }
  if (rows.length === 0) {
    throw new ScriptError(`Cannot use ${input.name} as it has no row that can be used`);
  }
  return {
    count: rows.length,
    task: (id) => rows[id].value,
    place: (id) => `line ${rows[id].line} of ${input.name}`,
    skipped,
  };
}
