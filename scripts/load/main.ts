import { Progress } from "../cli/progress.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { ScriptError } from "../cli/run.ts";
import { openDatabase } from "../database/connect.ts";
import { FLAGS } from "./flags.ts";
import { type Overload, quantilesOf, type Result, textReport } from "./report.ts";
import { askHealth, type Load, signUp, type SignUps } from "./requests.ts";
import { startService } from "./service.ts";

/** How many times what can be hashed is asked for. */
const OVERLOAD = 10;

/** Requests in hand under overload, for each worker. */
const QUEUED = 16;

const SERVICES = {
  "main-thread": "./main_thread_service.ts",
  pool: "../serve.ts",
};

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
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
