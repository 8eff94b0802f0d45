/**
 * Measures what the pool gains a service: sign-ups and health while others sign up, against the same
 * service that hashes on its main thread; and what becomes of ten times as many as can be hashed.
 *
 * ```sh
 * deno run -A scripts/load.ts
 * ```
 */
import { helpText, integer, parseFlags, text, toggle } from "./cli/flags.ts";
import { Progress } from "./cli/progress.ts";
import { print } from "./cli/print.ts";
import { runScript, ScriptError } from "./cli/run.ts";
import { cost, HELP, WORKERS } from "./cli/shared_flags.ts";
import { openDatabase } from "./database/connect.ts";
import { type Overload, quantilesOf, type Result, textReport } from "./load/report.ts";
import { askHealth, type Load, signUp, type SignUps } from "./load/requests.ts";
import { startService } from "./load/service.ts";

const FLAGS = {
  cost: cost(10),
  connections: integer("clients that sign up at the same time", 10),
  duration: integer("length of each measurement", 10, { placeholder: "SECONDS" }),
  workers: WORKERS,
  "database-url": text(
    "URL",
    "PostgreSQL to use, also DATABASE_URL (default: a server of its own); a new table is made in it, and dropped",
  ),
  json: toggle("print JSON instead of tables"),
  help: HELP,
};

const USAGE = `Compares sign-ups per second of scripts/serve.ts with those of the same service
when it hashes on its main thread, and then overloads it.

Usage: deno run -A scripts/load.ts [flags]

Exit code: 0 if the service lost no user, 1 if it did, 2 for wrong usage.

Examples:
  deno run -A scripts/load.ts
  deno run -A scripts/load.ts --cost 12 --connections 50 --duration 30

Least permissions, instead of -A:
  --allow-env --allow-net --allow-run
  and --allow-read --allow-sys --allow-write to start a server of its own`;

/** How many times what can be hashed is asked for. */
const OVERLOAD = 10;

/** Requests in hand under overload, for each worker. */
const QUEUED = 16;

const SERVICES = {
  "main-thread": "./main_thread_service.ts",
  pool: "../serve.ts",
};

export async function main(signal: AbortSignal, args = Deno.args): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.help) return print(helpText(USAGE, FLAGS));
  const { cost, connections, workers, duration: seconds } = flags;
  using progress = new Progress();
  const onProgress = (message: string) => progress.say(message);
  // The services are processes of their own, so the address of an embedded server must be known.
  await using database = await openDatabase({ url: flags["database-url"], onProgress, signal });
  const { sql } = database;
  const table = `burst_load_${crypto.randomUUID().slice(0, 8)}`;
  const maxQueued = QUEUED * workers;
  const start = (mode: keyof typeof SERVICES) =>
    startService(SERVICES[mode], {
      databaseUrl: database.url,
      args: [
        ...["--port", "0", "--table", table, "--create-table", "--cost", `${cost}`],
        ...["--workers", `${workers}`, "--max-queued", `${maxQueued}`, "--max-connections", "4000"],
      ],
    });

  /** Signs up, and asks for the health meanwhile. */
  async function measure(url: string, load: Load) {
    signal.throwIfAborted();
    const [done, health] = await Promise.all([signUp(url, load), askHealth(url, load.seconds)]);
    return { done, healthMs: quantilesOf(health.get(200)) };
  }

  async function compare(mode: keyof typeof SERVICES): Promise<Result> {
    progress.say(`Measuring ${mode}`);
    await using service = await start(mode);
    await signUp(service.url, { connections, seconds: 1 });
    const { done, healthMs } = await measure(service.url, { connections, seconds });
    return { mode, ...speedOf(done), healthMs };
  }

  async function overload(capacity: number): Promise<Overload> {
    progress.say("Measuring overload");
    await using service = await start("pool");
    const rate = Math.ceil(OVERLOAD * capacity);
    if (rate === 0) {
      throw new ScriptError(
        `Cannot overload the service as it finished no sign-up in ${seconds} s: use a longer --duration or a lower --cost`,
      );
    }
    // Enough to fill the queue, and for each second's requests to be sent besides.
    const load = { connections: maxQueued + rate, seconds, rate };
    const { done, healthMs } = await measure(service.url, load);
    const after = await signUp(service.url, { connections, seconds });
    const rows = await sql`select email from ${sql(table)}`;
    const saved = new Set(rows.map(({ email }) => email));
    const answered = done.accepted.size + done.refused.size;
    return {
      offeredPerSecond: answered / done.seconds,
      accepted: done.accepted.size,
      refused: done.times.get(503)?.length ?? 0,
      unanswered: done.unanswered.size,
      failed: done.failed,
      acceptedMs: quantilesOf(done.times.get(201)),
      refusedMs: quantilesOf(done.times.get(503)),
      healthMs,
      lost: [...done.accepted, ...after.accepted].filter((email) => !saved.has(email)).length,
      unasked: [...done.refused].filter((email) => saved.has(email)).length,
      recovered: speedOf(after),
    };
  }

  try {
    const results = [await compare("main-thread"), await compare("pool")];
    const report = {
      version: 1 as const,
      cost,
      cores: navigator.hardwareConcurrency,
      connections,
      results,
      overload: await overload(results[1].signUpsPerSecond),
    };
    progress[Symbol.dispose]();
    print(flags.json ? JSON.stringify(report, null, 2) : textReport(report));
    const { lost, unasked } = report.overload;
    if (lost + unasked > 0) {
      throw new ScriptError(
        "Cannot trust this service as it lost users, or saved some that it had refused",
      );
    }
  } finally {
    await sql`drop table if exists ${sql(table)}`;
  }
}

function speedOf({ accepted, times, seconds }: SignUps) {
  const took = times.get(201);
  return {
    signUps: accepted.size,
    signUpsPerSecond: accepted.size / seconds,
    responseMs: quantilesOf(took),
  };
}

if (import.meta.main) await runScript(main);
