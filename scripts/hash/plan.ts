import { choice, type FlagValues, integer, text, toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import {
  checkColumns,
  cost,
  CREATE_TABLE,
  DATA_DIR,
  engine,
  HELP,
  LOG_FORMAT,
  requireDatabase,
  WORKERS,
} from "../cli/shared_flags.ts";
import { INPUT_FLAGS, type InputPlan, planInput } from "../input/flags.ts";
import type { OnConflict } from "../table/conflict.ts";
import type { Target } from "../table/table.ts";

const ON_CONFLICT: readonly OnConflict[] = ["skip", "update", "error"];

export const FLAGS = {
  ...INPUT_FLAGS,
  "database-url": text("URL", "PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": DATA_DIR,
  table: text("TABLE", "table to save to", "users"),
  hashed: toggle("the password column has bcrypt, scrypt or Argon2 hashes: save them as they are"),
  "hash-column": text("COL", "column of the table for the hash", "hash"),
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
  "dry-run": toggle("read and hash everything, save nothing"),
  json: toggle("print the result as JSON"),
  "log-format": LOG_FORMAT,
  help: HELP,
};

const USAGE = `Hashes the passwords of a file on all cores and saves the hashes to PostgreSQL.

Usage: deno run -A scripts/hash.ts INPUT [flags]

INPUT is a CSV file with a header, JSON, NDJSON, or plain lines: one password
per line, the line number is its id. "-" reads the standard input; gzip is
decompressed. Run it again to continue: rows that are in
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
  and --allow-run --allow-sys --allow-write for --data-dir

Narrower still: --frozen --allow-read=.,INPUT --allow-net=DATABASE:5432`;

export const HASH: Program = {
  name: "hash",
  description: "hashes a file of users into a table",
  usage: USAGE,
  flags: FLAGS,
};

/** What is to be done, as far as the command line tells. */
export interface Plan extends InputPlan {
  readonly target: Target;
}

/** The values of the flags. */
export type Values = FlagValues<typeof FLAGS>;

/**
 * Makes a plan, and refuses what cannot work whatever the files and the database are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function makePlan(path: string | undefined, flags: Values): Plan {
  const { table, "hash-column": hash } = flags;
  const input = planInput(path, flags);
  const { id, carried } = input.saved;
  checkColumns({ id, "hash-column": hash, columns: carried });
  if (!flags["dry-run"]) requireDatabase(flags);
  return { ...input, target: { table, id, hash, carried } };
}
