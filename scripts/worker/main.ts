import { jetstream } from "@nats-io/jetstream";
import { UnknownOutcomeError } from "../../batcher.ts";
import { HashPool } from "../../hash_pool.ts";
import { WorkerStartError, WorkPool } from "../../pool.ts";
import { PipelineError } from "../../pipeline.ts";
import { grouped } from "../cli/numbers.ts";
import { printable } from "../cli/printable.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { ScriptError } from "../cli/run.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import type { Database } from "../database/connect.ts";
import { databaseFromFlags } from "../database/from_flags.ts";
import { type Nats, openNats } from "../queue/connection.ts";
import { sendDeadLetter } from "../queue/dead_letter.ts";
import { inOneLine } from "../job/job.ts";
import { natsOptions, required } from "../queue/flags.ts";
import { hashWork } from "../queue/hash_work.ts";
import { type JobKey, readKey } from "../queue/key.ts";
import { findLeftovers } from "../queue/leftovers.ts";
import { outageLog } from "../queue/outage_log.ts";
import { type JobWork, type Totals, workOff, type WorkOptions } from "../queue/queue_worker.ts";
import { type RowPool, rowWork } from "../queue/row_work.ts";
import { CONSUMER, Streams } from "../queue/streams.ts";
import { checkFlags, FLAGS, type Values } from "./flags.ts";
import { moduleUrl } from "../run/plan.ts";
import { findTable, resultSinks } from "../run/results.ts";
import { createWorker } from "../run/worker.ts";
import { tableSinks, type TableSinksOptions } from "../table/sinks.ts";
import { prepareTable } from "../table/table.ts";

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  checkFlags(flags);
  const keyFile = required(flags["key-file"], "key-file", "the key of the jobs");
  const options = natsOptions(flags);
  const key = await unlessAborted(readKey(keyFile, (sentence) => console.error(sentence)), signal);
  await using nats = await openNats(options, signal);
  await using database = await unlessAborted(databaseFromFlags(flags, signal), signal);
  try {
    await work(flags, { key, nats, database, signal });
  } catch (error) {
    throw explain(error, nats, database);
  }
}

async function work(
  flags: Values,
  { key, nats, database, signal }: {
    key: JobKey;
    nats: Nats;
    database: Database;
    signal: AbortSignal;
  },
): Promise<void> {
  const { workers, prefetch = 128 * workers } = flags;
  const ackWait = 1_000 * flags["ack-wait"];
  const log = (sentence: string) => {
    console.error(`${new Date().toISOString()} ${printable(sentence, 1_000)}`);
  };
  const streams = await Streams.open(nats.connection, flags.stream);
  if (flags["create-stream"]) {
    const dedupWindow = 1_000 * flags["dedup-window"];
    await streams.create({ replicas: flags.replicas, dedupWindow, keyId: key.id });
  }
  const limits = await streams.check({ keyId: key.id, note: log });
  await streams.checkKind(flags.work !== undefined, "--work");
  await streams.createConsumer({ ackWait });
  const reasonOf = (error: unknown) => {
    const explained = explain(error, nats, database);
    return explained instanceof ScriptError ? explained.message : "it does not answer";
  };
  const noteAttempt = outageLog({ log, reason: reasonOf });
  const sinks: TableSinksOptions = {
    onConflict: "skip",
    // A database that is down is waited for: the job is not to blame, and stays in hand.
    retryFor: Infinity,
    linger: 20,
    onSave: noteAttempt,
    onLookup: noteAttempt,
  };
  await using stack = new AsyncDisposableStack();
  const prepare = flags.work === undefined ? prepareHashes : prepareResults;
  // A table that somebody has locked keeps it waiting.
  const prepared = await unlessAborted(
    prepare(flags, { database, sinks, log, stack }),
    signal,
  );
  const client = jetstream(nats.connection);
  const consumer = await client.consumers.get(streams.name, CONSUMER);
  log(`Working on the stream '${streams.name}', at most ${grouped(prefetch)} jobs in hand`);
  const totals: Totals = { saved: 0, skipped: 0, dead: 0, returned: 0 };
  const start = performance.now();
  try {
    await workOff({
      consumer,
      key,
      ...prepared,
      prefetch,
      ackWait,
      maxDeliveries: flags["max-deliveries"],
      findLeftovers: () => findLeftovers(streams, prefetch),
      isEmpty: !flags["until-empty"] ? undefined : async (jobs) => {
        const { waiting, inWork } = await streams.count();
        return waiting + inWork <= jobs;
      },
      checkConsumer: () => streams.checkConsumer(),
      broken: nats.broken,
      sendDeadLetter(message, reason) {
        const maxBytes = Math.min(limits.dead, nats.maxPayload);
        return sendDeadLetter(client, streams.dead, { message, reason, maxBytes });
      },
      reasonOf,
      log,
      signal,
    }, totals);
  } finally {
    report(totals, (performance.now() - start) / 1_000, flags.json);
  }
  if (flags["until-empty"] && totals.dead > 0 && !signal.aborted) {
    throw new ScriptError(
      `Cannot do all jobs: ${
        grouped(totals.dead)
      } can never succeed, and went to the stream '${streams.deadName}' with the reason`,
    );
  }
}

/** What a worker works with. */
interface Surroundings {
  readonly database: Database;
  readonly sinks: TableSinksOptions;
  readonly log: (sentence: string) => void;
  /** Ends what is started. */
  readonly stack: AsyncDisposableStack;
}

type Prepared = JobWork & Pick<WorkOptions, "sink" | "lookup">;

/** Hashes passwords. */
async function prepareHashes(
  { table = "users", id, columns, cost, workers, ...flags }: Values,
  { database, sinks, stack }: Surroundings,
): Promise<Prepared> {
  const target = { table, id, hash: flags["hash-column"], carried: columns };
  await prepareTable(database.sql, target, { create: flags["create-table"], numbered: false });
  const pool = stack.use(new HashPool({ workers, cost }));
  return { ...hashWork(pool, target), ...tableSinks(database.sql, target, sinks) };
}

/** Calls a function of the user's. */
async function prepareResults(
  { work, table = "", id, timeout, workers, "create-table": create }: Values,
  { database, sinks, log, stack }: Surroundings,
): Promise<Prepared> {
  const pool: RowPool = stack.use(
    new WorkPool(moduleUrl(work!), {
      workers,
      timeout: timeout && 1_000 * timeout,
      createWorker,
    }),
  );
  await pool.start();
  const known = await findTable(database.sql, { table, id, create, onConflict: "skip" });
  const options = { ...sinks, table, id, known, onNote: log };
  return { ...rowWork(pool, id, known), ...resultSinks(database.sql, options) };
}

function report(totals: Totals, seconds: number, json: boolean): void {
  if (json) {
    print(JSON.stringify({ version: 1, ...totals, seconds: Number(seconds.toFixed(3)) }));
    return;
  }
  const counts = Object.entries(totals).map(([name, count]) => `${name} ${grouped(count)}`);
  print(`${counts.join(", ")}, in ${grouped(seconds)} s`);
}

function explain(error: unknown, nats: Nats, database: Database): unknown {
  if (error instanceof PipelineError || error instanceof UnknownOutcomeError) {
    return explain(error.cause, nats, database);
  }
  if (error instanceof WorkerStartError) return new ScriptError(inOneLine(error.message));
  const explained = database.explain(error);
  return explained instanceof ScriptError ? explained : nats.explain(error);
}
