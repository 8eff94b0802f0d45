import { ScriptError } from "../cli/run.ts";
import { DELIMITERS, parseRecords } from "./csv.ts";
import type { Wanted } from "./source.ts";

/** The first record of a CSV file. */
export interface Header {
  /** The names of all columns. */
  readonly names: readonly (string | null)[];
  /** The names that stand once, and their places. */
  readonly columns: readonly (readonly [name: string, at: number])[];
}

/** The error where the first record is no header; `why` ends its sentence, and quotes nothing. */
export function badHeader(why: string): ScriptError {
  return new ScriptError(
    `Cannot use the input as its first line should name the columns, and ${why}`,
  );
}

function namesIn(text: string, delimiter: string): readonly (string | null)[] {
  return parseRecords(text, delimiter)?.[0] ?? [];
}

/** The delimiter with which the header has what is wanted; else the one that finds most columns. */
export function chooseDelimiter(text: string, wanted: readonly Wanted[]): string {
  const has = DELIMITERS.find((delimiter) => {
    const names = namesIn(text, delimiter);
    return wanted.every(({ name }) => names.includes(name));
  });
  if (has !== undefined) return has;
  const counts = DELIMITERS.map((delimiter) => namesIn(text, delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))];
}

/**
 * Reads the header. The message names no column that the file has: without a header these were a
 * row's values.
 *
 * @throws {ScriptError} If it lacks a column that is wanted, or has it twice.
 */
export function readHeader(text: string, delimiter: string, wanted: readonly Wanted[]): Header {
  const names = namesIn(text, delimiter);
  if (names.length === 0) throw badHeader("a quote in it is in the wrong place");
  for (const { name, flag } of wanted) {
    const at = names.indexOf(name);
    if (at !== -1 && names.includes(name, at + 1)) {
      throw badHeader(`has '${name}' twice`);
    }
    if (at !== -1) continue;
    // Blanks count in values, so they count here.
    const why = names.some((one) => one?.trim() === name)
      ? `has blanks around '${name}': remove them there and from the rows, where they count too`
      : `has no '${name}': see --${flag}`;
    throw badHeader(why);
  }
  const columns = names.flatMap((name, at) =>
    name !== null && names.indexOf(name) === names.lastIndexOf(name) ? [[name, at] as const] : []
  );
  return { names, columns };
}

/** The name of a delimiter, for a sentence. */
export function describeDelimiter(delimiter: string): string {
  const names: Record<string, string> = { ",": "commas", ";": "semicolons", "\t": "tabs" };
  return names[delimiter] ?? `'${delimiter}'`;
}
