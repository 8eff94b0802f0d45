import { choice, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { checkColumns, columns, HELP, REJECTS } from "../cli/shared_flags.ts";
import { formatOf } from "../input/input.ts";
import { type Format, FORMATS } from "../input/pages.ts";
import type { InputColumns } from "../input/row.ts";
import { CREATE_STREAM, NATS_FLAGS, required, STREAM_FLAGS } from "./flags.ts";

export const FLAGS = {
  ...NATS_FLAGS,
  "key-file": text("FILE", "key to encrypt the jobs with: 32 bytes in base64 or hex"),
  "create-stream": CREATE_STREAM,
  ...STREAM_FLAGS,
  format: choice("format of INPUT (default: from its name)", FORMATS, undefined),
  id: text("COL", "id column of the input", "id"),
  password: text("COL", "password column of the input", "password"),
  columns: columns("more columns to copy from the input"),
  rejects: REJECTS,
  json: toggle("print the result as JSON"),
  help: HELP,
};

export const USAGE =
  `Publishes the rows of a file as encrypted jobs for worker.ts, each acknowledged
by NATS.

Usage: deno run -A scripts/enqueue.ts INPUT --nats URL --key-file FILE [flags]

INPUT is as for hash.ts. Run it again to continue: jobs published within
--dedup-window are not stored twice, and workers skip rows that the table has.

Exit code: 0 if NATS has every row, 1 if not, 2 for wrong usage, 130 after
Ctrl-C.

Examples:
  deno run -A scripts/enqueue.ts users.csv --nats nats://queue:4222 \\
    --key-file key --create-stream
  deno run -A scripts/enqueue.ts users.ndjson.gz --nats nats://queue:4222 \\
    --key-file key --columns email --rejects rejects.csv

Least permissions, instead of -A:
  --allow-net --allow-read
  and --allow-write for --rejects`;

/** The values of the flags. */
export type Values = ReturnType<typeof parseFlags<typeof FLAGS>>;

/** What is to be done, as far as the command line tells. */
export interface Plan {
  readonly path: string;
  readonly nats: string;
  readonly keyFile: string;
  readonly format: Format;
  readonly columns: InputColumns;
}

/**
 * Makes a plan, and refuses what cannot work whatever the files and the queue are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function makePlan(path: string | undefined, flags: Values): Plan {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  if (!path) throw refuse("without an INPUT: see --help");
  const format = flags.format ?? formatOf(path);
  const { id, password, columns: carried } = flags;
  if (format === "lines" && carried.length > 0) {
    throw refuse("as --columns needs an input with columns, and plain lines have none");
  }
  if (carried.includes(password)) {
    throw refuse("as --columns names the password, which would be saved in plain text");
  }
  checkColumns({ id, password, columns: carried });
  return {
    path,
    format,
    nats: required(flags.nats, "nats", "a NATS server"),
    keyFile: required(flags["key-file"], "key-file", "a key to encrypt the jobs with"),
    columns: { id, password, carried },
  };
}
