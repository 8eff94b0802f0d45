import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { choice, type FlagValues, integer, text, toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import { UsageError } from "../cli/run.ts";
import {
  CREATE_TABLE,
  DATA_DIR,
  HELP,
  LOG_FORMAT,
  REJECTS,
  requireDatabase,
} from "../cli/shared_flags.ts";
import { INPUT_FLAGS } from "../input/flags.ts";
import { delimiterOf, type Format, formatOf } from "../input/format.ts";
import type { OnConflict } from "../table/conflict.ts";

const ON_CONFLICT: readonly OnConflict[] = ["skip", "update", "error"];

export const FLAGS = {
  format: INPUT_FLAGS.format,
  delimiter: INPUT_FLAGS.delimiter,
  id: text("COL", "id column, in the input and in the table", "id"),
  "database-url": text("URL", "PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": DATA_DIR,
  table: text("TABLE", "table to save to"),
  "create-table": CREATE_TABLE,
  "on-conflict": choice("what to do with a row whose id is in the table", ON_CONFLICT, "skip"),
  workers: integer("threads that compute", navigator.hardwareConcurrency, { max: 1_000 }),
  timeout: integer("how long one row may take to compute", undefined, {
    placeholder: "SECONDS",
    max: 1_000_000,
  }),
  "retry-for": integer("how long to keep trying while the database is down", 60, {
    placeholder: "SECONDS",
    min: 0,
    max: 1_000_000,
  }),
  rejects: REJECTS,
  "dry-run": toggle("compute everything, print the first results, save nothing"),
  json: toggle("print the result as JSON"),
  "log-format": LOG_FORMAT,
  help: HELP,
};

const USAGE = `Runs your function over the rows of a file, on all cores, and saves its results
to PostgreSQL.

Usage: deno run -A scripts/run.ts WORK INPUT --table TABLE [flags]

WORK is a module whose default export takes a row and returns the columns to
save, as in: export default (row) => ({ score: slow(row.text) });
null skips the row, an exception rejects it. The id is copied from the input.
It has the permissions that the script has.
A row of CSV or JSON is an object; of a plain line it is { text }, and the line
number is its id.

INPUT is a CSV file with a header, JSON, NDJSON, or plain lines. "-" reads the
standard input; gzip is decompressed. Run it again to continue: rows that are in
the table already are skipped before anything is computed.

Exit code: 0 if every row was saved or skipped, 1 if not, 2 for wrong usage,
130 after Ctrl-C.

Examples:
  deno run -A scripts/run.ts score.ts texts.csv --table scores --create-table \\
    --data-dir ./data
  deno run -A scripts/run.ts score.ts texts.csv --dry-run

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read
  and --allow-write for --rejects
  and --allow-run --allow-sys --allow-write for --data-dir

Narrower still: --frozen --allow-read=.,WORK,INPUT --allow-net=DATABASE:5432`;

export const RUN: Program = {
  name: "run",
  description: "runs your function over a file, on every core, into a table",
  usage: USAGE,
  flags: FLAGS,
};

/** The values of the flags. */
export type Values = FlagValues<typeof FLAGS>;

/** What is to be done, as far as the command line tells. */
export interface Plan {
  /** The user's module. */
  readonly module: URL;
  readonly path: string;
  readonly format: Format;
  readonly delimiter: string | undefined;
  readonly id: string;
  /** Empty for a dry run. */
  readonly table: string;
}

/** Where a module is that is named on a command line, as a path or as an address. */
export function moduleUrl(work: string): URL {
  if (!/^(https?|data|file|jsr|npm):/.test(work)) return pathToFileURL(resolve(work));
  if (URL.canParse(work)) return new URL(work);
  throw new UsageError(`Cannot run this as '${work}' is no address of a module`);
}

/**
 * Makes a plan, and refuses what cannot work whatever the files and the database are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function makePlan(
  work: string | undefined,
  path: string | undefined,
  flags: Values,
): Plan {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  if (!work) throw refuse("without a WORK, the module with your function: see --help");
  if (!path) throw refuse("without an INPUT: see --help");
  const { id, table = "" } = flags;
  const format = flags.format ?? formatOf(path);
  if (format !== "csv" && flags.delimiter !== undefined) {
    throw refuse("as --delimiter needs an input of CSV");
  }
  if (!flags["dry-run"]) {
    requireDatabase(flags);
    if (table === "") throw refuse("without a table: name it with --table, or try --dry-run");
  }
  return {
    module: moduleUrl(work),
    path,
    format,
    delimiter: flags.delimiter ?? delimiterOf(path),
    id,
    table,
  };
}
