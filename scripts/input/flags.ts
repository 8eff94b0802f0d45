import { choice, type FlagValues, list, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { checkColumns, REJECTS } from "../cli/shared_flags.ts";
import { delimiterOf, type Format, formatOf, FORMATS } from "./format.ts";
import type { InputColumns } from "./row.ts";

/** A column under the name that it has where it is saved, and in the input. */
export interface Renamed {
  readonly name: string;
  readonly from: string;
}

/** Reads a column, or throws as `Flag.parse` does. */
function parseColumn(text: string): Renamed {
  const [name, from = name, ...more] = text.split("=");
  if (name !== "" && from !== "" && more.length === 0) return { name, from };
  throw new UsageError("must name columns, like name, or saved_name=input_name to rename one");
}

function checkColumn(text: string): string {
  parseColumn(text);
  return text;
}

function parseDelimiter(text: string): string {
  const delimiter = text === "\\t" ? "\t" : text;
  if ([...delimiter].length === 1 && !/["\r\n]/.test(delimiter)) return delimiter;
  throw new UsageError("must be one character, or \\t for a tab");
}

/** The flags of scripts that read users from a file. */
export const INPUT_FLAGS = {
  format: choice("format of INPUT (default: from its name)", FORMATS, undefined),
  delimiter: {
    ...text("CHAR", "character between CSV fields (default: from the header)"),
    parse: parseDelimiter,
  },
  id: { ...text("COL", "id column, or saved_name=input_name", "id"), parse: checkColumn },
  password: text("COL", "password column of the input", "password"),
  columns: list<string>("COL", "more columns to copy, or saved_name=input_name", [], {
    parse: checkColumn,
  }),
  literal: toggle("take passwords as they are: NULL, or what looks like a hash"),
  rejects: REJECTS,
};

/** What is to be read. */
export interface InputPlan {
  readonly path: string;
  readonly format: Format;
  readonly delimiter: string | undefined;
  readonly columns: InputColumns;
  readonly literal: boolean;
  /** Whether there are hashes in the place of passwords, where a script can take them. */
  readonly hashed?: boolean;
  /** The names under which the id and the further columns are saved. */
  readonly saved: { readonly id: string; readonly carried: readonly string[] };
}

/**
 * Makes a plan of what is to be read.
 *
 * @throws {UsageError} If it cannot work, whatever the file is like.
 */
export function planInput(
  path: string | undefined,
  flags: FlagValues<typeof INPUT_FLAGS> & { readonly hashed?: boolean },
): InputPlan {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  if (!path) throw refuse("without an INPUT: see --help");
  const format = flags.format ?? formatOf(path);
  const { password, literal, hashed, delimiter } = flags;
  const id = parseColumn(flags.id);
  const columns = flags.columns.map(parseColumn);
  if (format === "lines" && columns.length > 0) {
    throw refuse("as --columns needs an input with columns, and plain lines have none");
  }
  if (format !== "csv" && delimiter !== undefined) {
    throw refuse("as --delimiter needs an input of CSV");
  }
  if (columns.some(({ from }) => from === password)) {
    throw refuse("as --columns names the password, which would be saved in plain text");
  }
  if (literal && hashed) {
    throw refuse("with both --literal and --hashed: either passwords are meant, or hashes");
  }
  checkColumns({ id: id.from, password });
  const carried = columns.map(({ name }) => name);
  return {
    path,
    format,
    delimiter: delimiter ?? delimiterOf(path),
    columns: { id: id.from, password, carried: columns.map(({ from }) => from) },
    literal,
    ...hashed !== undefined && { hashed },
    saved: { id: id.name, carried },
  };
}
