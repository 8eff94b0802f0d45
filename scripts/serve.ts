/**
 * A sign-up service that stays responsive: hashes on all cores, saves in bursts, and answers 201 once
 * the row is committed.
 *
 * ```sh
 * deno run -A scripts/serve.ts --database-url postgres://localhost/shop --create-table
 * ```
 */
import { HashPool } from "../hash_pool.ts";
import { helpText, parseFlags } from "./cli/flags.ts";
import { Progress } from "./cli/progress.ts";
import { runScript } from "./cli/run.ts";
import { type Database, openDatabase } from "./database/connect.ts";
import { Admission } from "./serve/admission.ts";
import { checkFlags, FLAGS, maxQueued, USAGE, type Values } from "./serve/flags.ts";
import { listen } from "./serve/http_server.ts";
import { Metrics } from "./serve/metrics.ts";
import { Service } from "./serve/service.ts";
import { openUsers } from "./serve/users.ts";

async function main(signal: AbortSignal): Promise<void> {
  const flags = parseFlags(Deno.args, FLAGS);
  if (flags.help) return console.log(helpText(USAGE, FLAGS));
  checkFlags(flags);
  await using database = await openDatabaseFor(flags, signal);
  try {
    await serve(flags, database, signal);
  } catch (error) {
    throw database.explain(error);
  }
}

async function serve(flags: Values, database: Database, signal: AbortSignal): Promise<void> {
  const { table, workers, cost, host, port } = flags;
  const max = maxQueued(flags);
  const admission = new Admission(max);
  await using users = await openUsers(database.sql, {
    table,
    // What is new has no table yet.
    create: flags["create-table"] || database.embedded,
    onBatch: (report) => metrics.noteBatch(report),
  });
  await using pool = new HashPool({ workers, cost });
  using metrics = new Metrics({
    hashing: pool,
    saving: users,
    requests: {
      max,
      get inHand() {
        return admission.inHand;
      },
    },
  });
  const log = (sentence: string) => console.error(`${new Date().toISOString()} ${sentence}`);
  const maxBody = flags["max-body"];
  const service = await Service.create({ users, pool, admission, metrics, maxBody, log });
  const server = await listen({
    host,
    port,
    headerTimeout: 1_000 * flags["header-timeout"],
    requestTimeout: 1_000 * flags["body-timeout"],
    answer: (asked) => service.answer(asked),
  });
  console.log(`Listening on ${server.url}, at most ${max} requests in hand`);
  await aborted(signal);
  service.stop();
  log("Stopping: what is in hand is finished");
  await sleep(1_000 * flags["drain-delay"]);
  await server.close();
}

async function openDatabaseFor(flags: Values, signal: AbortSignal): Promise<Database> {
  using progress = new Progress();
  return await openDatabase({
    url: flags["database-url"],
    dataDir: flags["data-dir"],
    onProgress: (message) => progress.say(message),
    signal,
  });
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

if (import.meta.main) await runScript(main, { service: true });
