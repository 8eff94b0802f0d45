import type { Line } from "./lines.ts";
import { type BrokenRow, type InputColumns, type InputRow, makeRow } from "./row.ts";

/** Reads a line of NDJSON: an object. A blank line is no row. */
export function parseNdjsonLine(
  { number, text, reason }: Line,
  columns: InputColumns,
): InputRow | BrokenRow | undefined {
  if (reason !== undefined) return { line: number, reason };
  if (text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text, exactly as (key: string, value: unknown) => unknown);
  } catch {
    // The error quotes the text.
    return { line: number, reason: "it is not valid JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { line: number, reason: "it is not a JSON object" };
  }
  const get = (name: string) => Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  const carried = columns.carried.map(get);
  return makeRow(
    number,
    { id: get(columns.id), password: get(columns.password), carried },
    columns,
  );
}

/** A whole number beyond 2 ** 53 would become one of its neighbours: somebody else's id. */
function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const { source = "" } = context ?? {};
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
