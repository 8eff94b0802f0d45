/**
 * The main job: measures what concurrency gains when hashes are saved to PostgreSQL.
 *
 * ```sh
 * deno run -A scripts/bench.ts
 * ```
 */
import { HashWorkerError } from "../hash_pool.ts";
import { MODES } from "./bench/modes.ts";
import { randomPasswords, readPasswords } from "./bench/passwords.ts";
import { formatReport, makeReport } from "./bench/report.ts";
import { measure, type Plan } from "./bench/runner.ts";
import { engine } from "./cli/engine.ts";
import { helpText, integer, list, parseFlags, parseInteger, text, toggle } from "./cli/flags.ts";
import { Progress } from "./cli/progress.ts";
import { runScript, ScriptError, UsageError } from "./cli/run.ts";
import { openDatabase } from "./database/connect.ts";

const DEFAULT_COUNT = 200;

const FLAGS = {
  count: integer(
    `passwords to hash and save in each run (${DEFAULT_COUNT}; with --input, its lines)`,
    undefined,
  ),
  cost: list("C", "bcrypt costs from 4 to 31; each more takes twice the time", [4, 6], {
    parse: (text) => parseInteger(text, 4, 31),
  }),
  modes: list("MODE", `of ${MODES.map(({ name }) => name).join(", ")}`, MODES, { parse: findMode }),
  "batch-size": integer("most rows of a batch", 100),
  workers: integer("workers of the pool modes", navigator.hardwareConcurrency),
  engine: engine("what hashes in the pool modes"),
  repeat: integer("runs of each mode, interleaved", 3),
  input: text("FILE", "passwords to hash, one a line; without it, random ones"),
  "database-url": text(
    "URL",
    "the PostgreSQL to measure, also DATABASE_URL; without it, a server of its own is started",
  ),
  json: toggle("print one JSON object instead of a table"),
  help: toggle("print this help"),
};

const USAGE = "Measures what concurrency gains when hashes are saved to PostgreSQL.\n\n" +
  "Usage: deno run -A scripts/bench.ts [flags]";

function findMode(name: string): typeof MODES[number] {
  const mode = MODES.find((mode) => mode.name === name);
  if (mode !== undefined) return mode;
  const names = MODES.map(({ name }) => name).join(", ");
  throw new UsageError(`names no mode '${name}': the modes are ${names}`);
}

async function main(signal: AbortSignal): Promise<void> {
  const flags = parseFlags(Deno.args, FLAGS);
  if (flags.help) return console.log(helpText(USAGE, FLAGS));
  const plan: Plan = {
    modes: flags.modes,
    costs: flags.cost,
    repeat: flags.repeat,
    batchSize: flags["batch-size"],
    workers: flags.workers,
    engine: flags.engine,
    passwords: await passwords(flags.input, flags.count),
  };
  using progress = new Progress();
  await using database = await openDatabase({
    url: flags["database-url"],
    onProgress: (message) => progress.say(message),
    signal,
  });
  const measurements = await measure(database, plan, {
    signal,
    onProgress: ({ mode, cost, round, fraction }) =>
      progress.bar(fraction, `${mode.name} at cost ${cost}, run ${round} of ${plan.repeat}`),
  }).catch((error) => {
    if (error instanceof HashWorkerError) throw new ScriptError(error.message);
    throw database.explain(error);
  });
  const report = makeReport(database, plan, measurements);
  progress[Symbol.dispose]();
  console.log(flags.json ? JSON.stringify(report, null, 2) : formatReport(report, plan));
}

async function passwords(path: string | undefined, count: number | undefined): Promise<string[]> {
  if (path === undefined) return randomPasswords(count ?? DEFAULT_COUNT);
  const { passwords, skipped } = await readPasswords(path, count);
  for (const { line, reason } of skipped) console.error(`Line ${line} is skipped: ${reason}`);
  if (count !== undefined && passwords.length < count) {
    console.error(`Of the ${count} passwords asked for, '${path}' has ${passwords.length}`);
  }
  return passwords;
}

if (import.meta.main) await runScript(main);
