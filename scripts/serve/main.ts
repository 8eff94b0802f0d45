import { HashPool } from "../../hash_pool.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import type { Database } from "../database/connect.ts";
import { ScriptError } from "../cli/run.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import { databaseFromFlags } from "../database/from_flags.ts";
import { ConcurrencyLimit } from "./concurrency_limit.ts";
import { checkFlags, FLAGS, maxQueued, type Values } from "./flags.ts";
import { Guesses } from "./guesses.ts";
import { listen } from "./http_server.ts";
import { affordable } from "./open_files.ts";
import { Metrics } from "./metrics.ts";
import { Service } from "./service.ts";
import { openUsers } from "./users.ts";

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  await serveUsers(signal, args, ({ workers, cost }) => new HashPool({ workers, cost }));
}

/** What hashes: a pool, or what is compared with one. */
export type Hasher =
  & Pick<HashPool, "hash" | "verify" | "size" | "inFlight">
  & AsyncDisposable;

/**
 * Serves as the command line says, until the signal is aborted and what is in hand then is done.
 *
 * @param args The command line.
 * @param openHasher Makes what hashes.
 * @throws {UsageError} If a flag is wrong.
 * @throws {ScriptError} If it cannot serve.
 */
export async function serveUsers(
  signal: AbortSignal,
  args: readonly string[],
  openHasher: (flags: Values) => Hasher,
): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  checkFlags(flags);
  await using database = await databaseFromFlags(flags, signal);
  try {
    await serve(flags, { database, signal, openHasher });
  } catch (error) {
    throw database.explain(error);
  }
}

async function serve(
  flags: Values,
  { database, signal, openHasher }: {
    database: Database;
    signal: AbortSignal;
    openHasher: (flags: Values) => Hasher;
  },
): Promise<void> {
  const { table, host, port } = flags;
  const max = maxQueued(flags);
  const concurrencyLimit = new ConcurrencyLimit(max);
  const opening = openUsers(database.sql, {
    table,
    // What is new has no table yet.
    create: flags["create-table"] || database.embedded,
    onBatch: (report) => metrics.noteBatch(report),
  });
  await using users = await unlessAborted(opening, signal);
  await using pool = openHasher(flags);
  using metrics = new Metrics({
    hashing: pool,
    saving: users,
    requests: {
      max,
      get inHand() {
        return concurrencyLimit.inHand;
      },
      get connections() {
        return server.connections;
      },
    },
  });
  const log = (sentence: string) => console.error(`${new Date().toISOString()} ${sentence}`);
  const guesses = new Guesses({
    perUser: flags["guesses-per-user"],
    perAddress: flags["guesses-per-address"],
    clientHeader: flags["client-header"]?.toLowerCase(),
    log,
  });
  const service = await Service.create({
    users,
    pool,
    concurrencyLimit,
    guesses,
    metrics,
    maxBody: flags["max-body"],
    minPassword: flags["min-password"],
    log,
  });
  const wanted = flags["max-connections"];
  const maxConnections = affordable(wanted);
  if (maxConnections < wanted) {
    log(`Open files are limited (ulimit -n): serving ${maxConnections} connections at a time`);
  }
  const server = await listen({
    host,
    port,
    maxConnections,
    headerTimeout: 1_000 * flags["header-timeout"],
    requestTimeout: 1_000 * flags["body-timeout"],
    answer: (asked) => service.answer(asked),
  });
  print(`Listening on ${server.url}, at most ${max} requests in progress`);
  await Promise.race([aborted(signal), server.failed]);
  service.stop();
  log("Stopping after the requests in progress");
  await sleep(1_000 * flags["drain-delay"]);
  const patience = flags["body-timeout"];
  const cutOff = await server.close(1_000 * patience);
  if (cutOff > 0) {
    throw new ScriptError(
      `Cannot answer ${cutOff} of the last requests as they were not done within ${patience} s`,
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
