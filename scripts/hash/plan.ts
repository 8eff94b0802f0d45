import { engine } from "../cli/engine.ts";
import { choice, integer, list, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { formatOf } from "../input/input.ts";
import { type Format, FORMATS } from "../input/pages.ts";
import type { InputColumns } from "../input/row.ts";
import type { OnConflict } from "../table/store.ts";
import type { Target } from "../table/table.ts";

const ON_CONFLICT: readonly OnConflict[] = ["skip", "update", "error"];

export const FLAGS = {
  format: choice("how the input is written; without it, its name tells", FORMATS, undefined),
  "database-url": text("URL", "the PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": text("DIR", "save to a server of its own, whose data stay in this folder"),
  table: text("TABLE", "table to save to", "users"),
  id: text("COL", "column with the id, in the input and in the table", "id"),
  password: text("COL", "column of the input with the password", "password"),
  "hash-column": text("COL", "column of the table for the hash", "hash"),
  columns: list<string>("COL", "further columns to carry over", [], { parse: columnName }),
  "create-table": toggle("create the table if it is missing"),
  "on-conflict": choice("what to do with a row whose id is there already", ON_CONFLICT, "skip"),
  cost: integer("bcrypt cost from 4 to 31; each more takes twice the time", 12, {
    placeholder: "C",
    min: 4,
    max: 31,
  }),
  workers: integer("threads that hash", navigator.hardwareConcurrency, { max: 1_000 }),
  "retry-for": integer("how many seconds to go on while the database is down", 60, {
    placeholder: "SECONDS",
    min: 0,
    max: 1_000_000,
  }),
  engine: engine("what hashes"),
  rejects: text(
    "FILE",
    "where to tell of rows that cannot be used; CSV if it ends in .csv, or NDJSON",
  ),
  "dry-run": toggle("read and hash everything, save nothing"),
  json: toggle("print the account as one JSON object"),
  help: toggle("print this help"),
};

export const USAGE =
  `Hashes the passwords of a file on all cores, and saves the hashes to PostgreSQL.

Usage: deno run -A scripts/hash.ts INPUT [flags]

INPUT is a CSV file with a header, an NDJSON file, or a file of passwords, one a line, whose ids are
the numbers of their lines; "-" is the standard input, and what ends in ".gz" is unpacked. Run again,
it does what is missing: rows whose ids are in the table are skipped before they are hashed.

The exit code is 0 if every row went in, 1 if not, 2 for a mistake in the flags, 130 after Ctrl-C.`;

/** What is to be done, as far as the command line tells. */
export interface Plan {
  readonly path: string;
  readonly format: Format;
  readonly target: Target;
  readonly columns: InputColumns;
}

/** The values of the flags. */
export type Values = ReturnType<typeof parseFlags<typeof FLAGS>>;

/**
 * Makes a plan, and refuses what cannot work whatever the files and the database are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function makePlan(path: string | undefined, flags: Values): Plan {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  if (!path) throw refuse("as it needs an INPUT: see --help");
  const format = flags.format ?? formatOf(path);
  const { table, id, password, columns: carried, "hash-column": hash } = flags;
  if (format === "lines" && carried.length > 0) {
    throw refuse("as --columns needs an input that has columns, and plain lines have none");
  }
  if (carried.includes(password)) {
    throw refuse("as --columns names the password, which would be saved as it is");
  }
  if (id === password) throw refuse("as --id and --password must name different columns");
  const names = [id, hash, ...carried];
  if (new Set(names).size < names.length) {
    throw refuse("as --id, --hash-column and --columns must name different columns of the table");
  }
  if (flags["database-url"] !== undefined && flags["data-dir"] !== undefined) {
    throw refuse("with both --database-url and --data-dir: the hashes go to one of them");
  }
  const database = flags["database-url"] ?? flags["data-dir"] ?? Deno.env.get("DATABASE_URL");
  if (!database && !flags["dry-run"]) {
    throw refuse(
      "as there is no database to save to: name one with --database-url or DATABASE_URL, or a folder for one with --data-dir",
    );
  }
  return { path, format, target: { table, id, hash, carried }, columns: { id, password, carried } };
}

function columnName(text: string): string {
  if (text === "") throw new UsageError("must be names with commas between them");
  return text;
}
