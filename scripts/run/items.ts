import { digitsOf } from "../input/exact_json.ts";
import { type PagesOptions, readPages } from "../input/pages.ts";
import { type BrokenRow, idOf, whyNoId } from "../input/row.ts";
import type { SourceRow } from "../input/source.ts";

/** A row of the input, and what the user's function is called with. */
export interface RunItem {
  readonly line: number;
  readonly id: string | number;
  /** Emptied as soon as it is computed. */
  row: Record<string, unknown> | undefined;
}

/** Options of {@linkcode readItems}. */
export interface ItemsOptions extends Omit<PagesOptions<RunItem>, "wanted" | "makeRow"> {
  /** The columns of the input; only that of the id must be there. */
  readonly columns: { readonly id: string };
}

/**
 * Reads rows for a function of the user's, as a stream.
 *
 * @throws {ScriptError} If the input cannot be read for certain.
 */
export function readItems(
  chunks: AsyncIterable<Uint8Array>,
  { columns: { id }, ...options }: ItemsOptions,
): AsyncGenerator<(RunItem | BrokenRow)[]> {
  const lines = options.format === "lines";
  return readPages(chunks, {
    ...options,
    wanted: lines ? [] : [{ name: id, flag: "id" }],
    makeRow: itemMaker({ id, lines }),
  });
}

/** Makes items of rows. Of plain lines the number is the id. */
function itemMaker(
  { id: column, lines }: { id: string; lines: boolean },
): (row: SourceRow) => RunItem | BrokenRow {
  return ({ line, lastLine, value }) => {
    const id = lines ? line : Object.hasOwn(value, column) ? value[column] : undefined;
    const reason = whyNoId(id, lastLine === line ? undefined : lastLine);
    if (reason !== undefined) return { line, reason };
    return { line, id: idOf(id)!, row: plain(value) as Record<string, unknown> };
  };
}

/** A value with numbers that JavaScript has: a `bigint` where it is a whole number too large for one. */
export function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const digits = digitsOf(value);
  if (digits !== undefined) return /^-?\d+$/.test(digits) ? BigInt(digits) : Number(digits);
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}
