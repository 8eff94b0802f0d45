import { type FlagValues, integer, text, toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import {
  checkColumns,
  columns,
  cost,
  CREATE_TABLE,
  DATA_DIR,
  HELP,
  LOG_FORMAT,
  requireDatabase,
  WORKERS,
} from "../cli/shared_flags.ts";
import { UsageError } from "../cli/run.ts";
import { CREATE_STREAM, NATS_FLAGS, STREAM_FLAGS } from "../queue/flags.ts";

export const FLAGS = {
  ...NATS_FLAGS,
  "key-file": text("FILE", "key that the jobs are encrypted with: 32 bytes in base64 or hex"),
  "create-stream": CREATE_STREAM,
  ...STREAM_FLAGS,
  "database-url": text("URL", "PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": DATA_DIR,
  work: text("WORK", "module with a function for the rows of enqueue.ts --rows, as for run.ts"),
  timeout: integer("with --work: how long one row may take to compute", undefined, {
    placeholder: "SECONDS",
    max: 1_000_000,
  }),
  table: text("TABLE", "table to save to (default: users; needed with --work)"),
  id: text("COL", "column of the table for the id", "id"),
  "hash-column": text("COL", "column of the table for the hash", "hash"),
  columns: columns("more columns to save, the same as for enqueue.ts"),
  "create-table": CREATE_TABLE,
  cost: cost(12),
  workers: WORKERS,
  prefetch: integer("most jobs fetched ahead (default: 128 per thread)", undefined, {
    max: 10_000,
  }),
  "ack-wait": integer("how long until the jobs of a crashed worker go to another", 30, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  // What a worker gives back when it is stopped counts, too: a rolling restart must not cost jobs.
  "max-deliveries": integer(
    "times a job is delivered before it moves to NAME-dead, counting workers that were stopped",
    100,
  ),
  "until-empty": toggle("exit when all jobs are done instead of waiting for more"),
  json: toggle("print the result as JSON"),
  "log-format": LOG_FORMAT,
  help: HELP,
};

const USAGE = `Processes jobs that enqueue.ts has published: hashes on all cores, saves to
PostgreSQL in bursts, and acknowledges a job once its row is committed. Run it
on as many machines as you like. With --work it calls a function of yours with
each row, and saves what that returns, as run.ts does.

Usage: deno run -A scripts/worker.ts --nats URL --key-file FILE
       --database-url URL [flags]

On SIGTERM or Ctrl-C it saves what is computed, returns the other jobs to the
queue, and exits with 0. A job that can never succeed moves to the stream
NAME-dead with the reason; with --until-empty the exit code is then 1.

Examples:
  deno run -A scripts/worker.ts --nats nats://queue:4222 --key-file key \\
    --database-url postgres://db/shop --create-table
  deno run -A scripts/worker.ts --nats nats://queue:4222 --key-file key \\
    --database-url postgres://db/shop --work score.ts --table scores

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read
  and --allow-run --allow-sys --allow-write for --data-dir
Narrower: --allow-env --allow-net=NATS,DATABASE --allow-read=.,KEY`;

export const WORKER: Program = {
  name: "worker",
  description: "does such jobs, on as many machines as you like",
  usage: USAGE,
  flags: FLAGS,
  service: true,
};

/** The values of the flags. */
export type Values = FlagValues<typeof FLAGS>;

/**
 * Refuses what cannot work whatever the queue and the database are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function checkFlags(flags: Values): void {
  const { id, columns, "hash-column": hash, work, table, cost, timeout } = flags;
  checkColumns({ id, "hash-column": hash, columns });
  requireDatabase(flags);
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  if (work === undefined) {
    if (timeout !== undefined) throw refuse("as --timeout needs --work");
    return;
  }
  if (table === undefined) throw refuse("without a table: name it with --table");
  const { initial } = FLAGS["hash-column"];
  if (columns.length > 0 || hash !== initial || cost !== FLAGS.cost.initial) {
    throw refuse("as --columns, --hash-column and --cost are for hashing, and --work is not");
  }
}
