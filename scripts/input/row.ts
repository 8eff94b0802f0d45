import { PostgresText } from "../../postgres.ts";
import { checkHash, checkPassword } from "../../workload.ts";
import { digitsOf } from "./exact_json.ts";
import { isNullMarker } from "./suspicion.ts";
import type { SourceRow } from "./source.ts";

/** A row of the input that can be used, as far as one sees without the database. */
export interface InputRow {
  /** Line of the file on which it begins, counted from 1. */
  readonly line: number;
  readonly id: string | number;
  /** Or the hash, where the input has those. Emptied as soon as it is hashed. */
  password: string;
  /** Values of the further columns, in the order in which they were asked for. */
  readonly carried: readonly unknown[];
}

/** A row that cannot be used. The reason never quotes it. */
export interface BrokenRow {
  readonly line: number;
  readonly reason: string;
}

/** Rows that were read together. */
export type Page = readonly (InputRow | BrokenRow)[];

/** The rows of some pages, one by one. */
export async function* eachRow<R>(pages: AsyncIterable<readonly R[]>): AsyncGenerator<R> {
  for await (const page of pages) yield* page;
}

/** The row, if it can be used, or else an error that tells why not. */
export function usable<R extends object>(row: R | BrokenRow): R {
  if ("reason" in row) throw new Error(row.reason);
  return row;
}

/** Which columns of the input are wanted. */
export interface InputColumns {
  readonly id: string;
  readonly password: string;
  readonly carried: readonly string[];
}

/** Options of {@linkcode rowMaker}. */
export interface RowOptions {
  readonly columns: InputColumns;
  /** Whether a row is a plain line: its text is the password, and its number the id. */
  readonly lines: boolean;
  /** Whether values are CSV: text that the columns of a table read. */
  readonly csv: boolean;
  /** Whether a password is taken as it is written, also where it looks like none. */
  readonly literal: boolean;
  /** Whether there are hashes in the place of passwords. */
  readonly hashed?: boolean;
}

/** Makes rows of what the input says, and refuses what cannot be meant. */
export function rowMaker(
  { columns, lines, csv, literal, hashed = false }: RowOptions,
): (row: SourceRow) => InputRow | BrokenRow {
  return ({ line, lastLine, value }) => {
    const get = (name: string) => Object.hasOwn(value, name) ? value[name] : undefined;
    const id = lines ? line : get(columns.id);
    const password = get(lines ? "text" : columns.password);
    const end = lastLine === line ? undefined : lastLine;
    const reason = whyNoId(id, end) ?? whyNoPassword(password, { literal, hashed, lastLine: end });
    if (reason !== undefined) return { line, reason };
    const carried = columns.carried.map(get);
    const missing = carried.indexOf(undefined);
    if (missing !== -1) return { line, reason: `it has no column '${columns.carried[missing]}'` };
    return {
      line,
      id: idOf(id)!,
      password: password as string,
      carried: csv ? carried.map(asText) : carried,
    };
  };
}

/** What a field of CSV means is up to the column that takes it. */
export function asText(value: unknown): unknown {
  return typeof value === "string" ? new PostgresText(value) : value;
}

/** The id, if it can be one. A number that JavaScript cannot hold as it is written stays text. */
export function idOf(id: unknown): InputRow["id"] | undefined {
  if (typeof id === "string" || typeof id === "number") return id;
  return digitsOf(id);
}

/** Why the value is no id, if so. */
export function whyNoId(value: unknown, lastLine?: number): string | undefined {
  if (value === undefined || value === null || value === "") return "it has no id";
  const id = idOf(value);
  if (id === undefined) return "its id is neither a text nor a number";
  if (typeof id !== "string") return undefined;
  if (isNullMarker(id)) return "its id is a word for no value";
  return whyUntypable("id", id, lastLine);
}

function whyNoPassword(
  password: unknown,
  { literal, hashed, lastLine }: {
    literal: boolean;
    hashed: boolean;
    lastLine: number | undefined;
  },
): string | undefined {
  const what = hashed ? "hash" : "password";
  if (password === undefined || password === null || password === "") return `it has no ${what}`;
  if (typeof password !== "string") return `its ${what} is not a string`;
  const control = whyUntypable(what, password, lastLine);
  if (control !== undefined) return control;
  try {
    (hashed ? checkHash : checkPassword)(password);
  } catch (error) {
    return (error as Error).message;
  }
  return isNullMarker(password) && !literal
    ? "its password is a word for no value: pass --literal if it is meant"
    : undefined;
}

const NAMES: Record<string, string> = {
  "\0": "a NUL",
  "\t": "a tab",
  "\n": "a line feed",
  "\r": "a carriage return",
  "\x1b": "an escape",
  "\x7f": "a delete",
  "\u2028": "a line separator",
  "\u2029": "a paragraph separator",
  "\ufeff": "a byte order mark",
  "\ufffd": "a replacement character",
};

/**
 * Nobody can type these into a log-in: controls, line breaks, the mark at the start of a file, and
 * what stands for a letter that was lost. They come from a file that was read or written wrongly.
 */
function whyUntypable(what: string, text: string, lastLine?: number): string | undefined {
  // deno-lint-ignore no-control-regex
  const [control] = /[\0-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd]/.exec(text) ?? [];
  if (control === undefined) return undefined;
  const code = `U+${control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = lastLine === undefined ? "" : `; the row goes on to line ${lastLine}`;
  return `its ${what} has ${NAMES[control] ?? "a control character"} (${code}) in it${lines}`;
}
