import { integer, list, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { NATS_FLAGS, STREAM_FLAGS } from "./flags.ts";

export const FLAGS = {
  ...NATS_FLAGS,
  "key-file": text("FILE", "the key that the jobs are sealed with: 32 bytes in base64"),
  "create-stream": toggle("create the stream if it is missing"),
  ...STREAM_FLAGS,
  "database-url": text("URL", "the PostgreSQL to save to, also DATABASE_URL"),
  "data-dir": text("DIR", "save to a server of its own, whose data stay in this folder"),
  table: text("TABLE", "table to save to", "users"),
  id: text("COL", "column of the table for the id", "id"),
  "hash-column": text("COL", "column of the table for the hash", "hash"),
  columns: list<string>("COL", "further columns, which enqueue.ts was told to carry over", [], {
    parse(text) {
      if (text === "") throw new UsageError("must be names with commas between them");
      return text;
    },
  }),
  "create-table": toggle("create the table if it is missing"),
  cost: integer("bcrypt cost from 4 to 31; each more takes twice the time", 12, {
    placeholder: "C",
    min: 4,
    max: 31,
  }),
  workers: integer("threads that hash", navigator.hardwareConcurrency, { max: 1_000 }),
  prefetch: integer("most jobs in hand; without it, 128 for each thread", undefined, {
    max: 10_000,
  }),
  "ack-wait": integer("seconds after which the jobs of a worker that died go to another", 30, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  // What a worker gives back when it is stopped counts, too: a rolling restart must not bury jobs.
  "max-deliveries": integer(
    "how often a job is taken, also by workers that are stopped, before it is dead",
    100,
  ),
  "until-empty": toggle("end when all jobs are done, instead of waiting for more"),
  json: toggle("print the account as one JSON object"),
  help: toggle("print this help"),
};

export const USAGE =
  `Does the jobs that enqueue.ts has published: hashes on all cores, saves to PostgreSQL in bursts, and
acknowledges a job once its row is committed. Run it on as many machines as you like.

Usage: deno run -A scripts/worker.ts --nats URL --key-file FILE --database-url URL [flags]

SIGTERM or Ctrl-C: it saves what is hashed, gives the rest back, and exits with 0. A job that can never
succeed is put aside with the reason, in the stream NAME-dead.`;

/** The values of the flags. */
export type Values = ReturnType<typeof parseFlags<typeof FLAGS>>;

/**
 * Refuses what cannot work whatever the queue and the database are like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function checkFlags(flags: Values): void {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  const { id, columns, "hash-column": hash } = flags;
  const names = [id, hash, ...columns];
  if (new Set(names).size < names.length) {
    throw refuse("as --id, --hash-column and --columns must name different columns of the table");
  }
  if (flags["database-url"] !== undefined && flags["data-dir"] !== undefined) {
    throw refuse("with both --database-url and --data-dir: the hashes go to one of them");
  }
  if (!(flags["database-url"] ?? flags["data-dir"] ?? Deno.env.get("DATABASE_URL"))) {
    throw refuse(
      "as there is no database to save to: name one with --database-url or DATABASE_URL, or a folder for one with --data-dir",
    );
  }
}
