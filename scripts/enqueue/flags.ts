import { UsageError } from "../cli/run.ts";
import { type FlagValues, text, toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import { checkColumns, HELP, LOG_FORMAT } from "../cli/shared_flags.ts";
import { INPUT_FLAGS, type InputPlan, planInput } from "../input/flags.ts";
import type { NatsOptions } from "../queue/connection.ts";
import { CREATE_STREAM, NATS_FLAGS, natsOptions, required, STREAM_FLAGS } from "../queue/flags.ts";

export const FLAGS = {
  ...NATS_FLAGS,
  "key-file": text("FILE", "key to encrypt the jobs with: 32 bytes in base64 or hex"),
  "create-stream": CREATE_STREAM,
  ...STREAM_FLAGS,
  ...INPUT_FLAGS,
  rows: toggle("publish whole rows, for worker.ts --work: no password is needed"),
  json: toggle("print the result as JSON"),
  "log-format": LOG_FORMAT,
  help: HELP,
};

const USAGE = `Publishes the rows of a file as encrypted jobs for worker.ts, each acknowledged
by NATS.

Usage: deno run -A scripts/enqueue.ts INPUT --nats URL --key-file FILE [flags]

INPUT is as for hash.ts, or with --rows as for run.ts. Run it again to continue:
jobs published within --dedup-window are not stored twice, and workers skip rows
that the table has.

Exit code: 0 if NATS has every row, 1 if not, 2 for wrong usage, 130 after
Ctrl-C.

Examples:
  deno run -A scripts/enqueue.ts users.csv --nats nats://queue:4222 \\
    --key-file key --create-stream
  deno run -A scripts/enqueue.ts users.ndjson.gz --nats nats://queue:4222 \\
    --key-file key --columns email --rejects rejects.csv

Least permissions, instead of -A:
  --allow-net --allow-read
  and --allow-write for --rejects
  and --allow-env for NATS_URL and the like
Narrower: --allow-net=NATS --allow-read=.,INPUT,KEY`;

export const ENQUEUE: Program = {
  name: "enqueue",
  description: "publishes the users of a file as jobs on NATS JetStream",
  usage: USAGE,
  flags: FLAGS,
};

/** The values of the flags. */
export type Values = FlagValues<typeof FLAGS>;

/** What is to be done, as far as the command line tells. */
export interface Plan extends InputPlan {
  readonly nats: NatsOptions;
  readonly keyFile: string;
}

/**
 * Makes a plan, and refuses what cannot work whatever the files and the queue are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function makePlan(path: string | undefined, flags: Values): Plan {
  const input = planInput(path, flags);
  const { id, carried } = input.saved;
  checkColumns({ id, columns: carried });
  const { rows, literal, password } = flags;
  if (rows && (carried.length > 0 || literal || password !== FLAGS.password.initial)) {
    throw new UsageError(
      "Cannot run this as --columns, --literal and --password are for hashing, and --rows is not",
    );
  }
  return {
    ...input,
    nats: natsOptions(flags),
    keyFile: required(flags["key-file"], "key-file", "a key to encrypt the jobs with"),
  };
}
