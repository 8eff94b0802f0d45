import { choice, integer, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import {
  checkColumns,
  columns,
  cost,
  CREATE_TABLE,
  DATA_DIR,
  engine,
  HELP,
  REJECTS,
  requireDatabase,
  WORKERS,
} from "../cli/shared_flags.ts";
import { formatOf } from "../input/input.ts";
import { type Format, FORMATS } from "../input/pages.ts";
import type { InputColumns } from "../input/row.ts";
import type { OnConflict } from "../table/sinks.ts";
import type { Target } from "../table/table.ts";

const ON_CONFLICT: readonly OnConflict[] = ["skip", "update", "error"];

export const FLAGS = {
  format: choice("format of INPUT (default: from its name)", FORMATS, undefined),
  "database-url": text("URL", "PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": DATA_DIR,
  table: text("TABLE", "table to save to", "users"),
  id: text("COL", "id column, in the input and in the table", "id"),
  password: text("COL", "password column of the input", "password"),
  "hash-column": text("COL", "column of the table for the hash", "hash"),
  columns: columns("more columns to copy from the input to the table"),
  "create-table": CREATE_TABLE,
  "on-conflict": choice("what to do with a row whose id is in the table", ON_CONFLICT, "skip"),
  cost: cost(12),
  workers: WORKERS,
  "retry-for": integer("how long to keep trying while the database is down", 60, {
    placeholder: "SECONDS",
    min: 0,
    max: 1_000_000,
  }),
  engine: engine("what hashes"),
  rejects: REJECTS,
  "dry-run": toggle("read and hash everything, save nothing"),
  json: toggle("print the result as JSON"),
  help: HELP,
};

export const USAGE =
  `Hashes the passwords of a file on all cores and saves the hashes to PostgreSQL.

Usage: deno run -A scripts/hash.ts INPUT [flags]

INPUT is a CSV file with a header, an NDJSON file, or plain lines: one password
per line, the line number is its id. "-" reads the standard input; files whose
names end in ".gz" are decompressed. Run it again to continue: rows that are in
the table already are skipped before they are hashed.

Exit code: 0 if every row was saved or skipped, 1 if not, 2 for wrong usage,
130 after Ctrl-C.

Examples:
  deno run -A scripts/hash.ts users.csv --data-dir ./data --create-table
  deno run -A scripts/hash.ts users.ndjson.gz --columns email \\
    --database-url postgres://localhost/shop --rejects rejects.csv

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read
  and --allow-write for --rejects
  and --allow-run --allow-sys --allow-write for --data-dir`;

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
  if (!path) throw refuse("without an INPUT: see --help");
  const format = flags.format ?? formatOf(path);
  const { table, id, password, columns: carried, "hash-column": hash } = flags;
  if (format === "lines" && carried.length > 0) {
    throw refuse("as --columns needs an input with columns, and plain lines have none");
  }
  if (carried.includes(password)) {
    throw refuse("as --columns names the password, which would be saved in plain text");
  }
  checkColumns({ id, password });
  checkColumns({ id, "hash-column": hash, columns: carried });
  if (!flags["dry-run"]) requireDatabase(flags);
  return { path, format, target: { table, id, hash, carried }, columns: { id, password, carried } };
}
