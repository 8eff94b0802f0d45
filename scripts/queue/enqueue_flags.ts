import { choice, list, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { formatOf } from "../input/input.ts";
import { type Format, FORMATS } from "../input/pages.ts";
import type { InputColumns } from "../input/row.ts";
import { NATS_FLAGS, required, STREAM_FLAGS } from "./flags.ts";

export const FLAGS = {
  ...NATS_FLAGS,
  "key-file": text("FILE", "the key to seal the jobs with: 32 bytes in base64"),
  "create-stream": toggle("create the stream if it is missing"),
  ...STREAM_FLAGS,
  format: choice("how the input is written; without it, its name tells", FORMATS, undefined),
  id: text("COL", "column of the input with the id", "id"),
  password: text("COL", "column of the input with the password", "password"),
  columns: list<string>("COL", "further columns to carry over", [], {
    parse(text) {
      if (text === "") throw new UsageError("must be names with commas between them");
      return text;
    },
  }),
  rejects: text(
    "FILE",
    "where to tell of rows that cannot be used; CSV if it ends in .csv, or NDJSON",
  ),
  json: toggle("print the account as one JSON object"),
  help: toggle("print this help"),
};

export const USAGE =
  `Publishes the rows of a file as jobs for worker.ts, sealed with a key, each acknowledged by NATS.

Usage: deno run -A scripts/enqueue.ts INPUT --nats URL --key-file FILE [flags]

INPUT is as for hash.ts. Run again, it does what is missing: a job that NATS knows from the last
--dedup-window is not stored twice, and what is in the table already is skipped by the workers.

The exit code is 0 if NATS has or knows every row, 1 if not, 2 for a mistake in the flags, 130 after
Ctrl-C.`;

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
  if (!path) throw refuse("as it needs an INPUT: see --help");
  const format = flags.format ?? formatOf(path);
  const { id, password, columns: carried } = flags;
  if (format === "lines" && carried.length > 0) {
    throw refuse("as --columns needs an input that has columns, and plain lines have none");
  }
  if (carried.includes(password)) {
    throw refuse("as --columns names the password, which would be saved as it is");
  }
  if (new Set([id, password, ...carried]).size < 2 + carried.length) {
    throw refuse("as --id, --password and --columns must name different columns");
  }
  return {
    path,
    format,
    nats: required(flags.nats, "nats", "NATS"),
    keyFile: required(flags["key-file"], "key-file", "a key to seal the jobs with"),
    columns: { id, password, carried },
  };
}
