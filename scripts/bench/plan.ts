import {
  choice,
  type FlagValues,
  integer,
  list,
  oneOf,
  parseInteger,
  series,
  text,
  toggle,
} from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { engine, HELP } from "../cli/shared_flags.ts";
import { givenUrl } from "../database/connect.ts";
import { MODES } from "./modes.ts";
import { randomPasswords, readPasswords } from "./passwords.ts";
import { PRESET_NAMES, PRESETS } from "./presets.ts";
import type { Plan, Workload } from "./runner.ts";

/** Longest round trip that can be added: the time-outs of driver and batcher leave room for it. */
const MAX_LATENCY = 5000;

const MODE_NAMES = MODES.map(({ name }) => name);

/** The flags of the benchmark. */
export const FLAGS = {
  preset: choice(
    PRESET_NAMES.map((name) => `${name}: ${PRESETS[name].help}`).join("; "),
    PRESET_NAMES,
    "quick",
  ),
  cost: list("C", "bcrypt costs, 4 to 31; each step doubles the time", undefined, {
    parse: (text) => parseInteger(text, 4, 31),
  }),
  count: series("N", "passwords in each run: one number, or one for each cost", undefined, {
    parse: (text) => parseInteger(text, 1, Number.MAX_SAFE_INTEGER),
  }),
  latency: list(
    "MS",
    "round-trip latency to add, in ms (default: none on your server, 10 on one of its own)",
    undefined,
    { parse: parseLatency },
  ),
  modes: list("MODE", `modes to run: ${MODE_NAMES.join(", ")} (default: all)`, undefined, {
    parse: findMode,
  }),
  "batch-size": integer("most rows in a batch (default: 30, or 100 with --preset book)", undefined),
  workers: integer("threads of the pool modes", navigator.hardwareConcurrency),
  engine: engine("what hashes in the pool modes"),
  repeat: integer("runs of each mode; the modes take turns", 3),
  input: text("FILE", "passwords to hash, one per line (default: random ones)"),
  "database-url": text(
    "URL",
    "PostgreSQL to measure, also DATABASE_URL (default: a server of its own)",
  ),
  compare: text("FILE", "compare with an earlier run, from its --json output"),
  report: text("FILE", "write an HTML page with the table and figures"),
  svg: text("DIR", "write the figures to this folder"),
  json: toggle("print JSON instead of a table"),
  help: HELP,
};

/** Their values. */
export type Values = FlagValues<typeof FLAGS>;

export const USAGE = `Measures how much faster hashing is when saves to PostgreSQL run concurrently.

Usage: deno run -A scripts/bench.ts [flags]

Examples:
  deno run -A scripts/bench.ts
  deno run -A scripts/bench.ts --cost 10 --modes serial,pool --report page.html

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read --allow-sys --allow-write
  and --allow-run to start a server of its own
  and --allow-run for --report and --svg`;

/**
 * What the flags ask for, over the preset.
 *
 * @throws {UsageError} If there are neither one count nor as many as costs.
 * @throws {ScriptError} If the file of passwords cannot be used.
 */
export async function makePlan(flags: Values): Promise<Plan> {
  const preset = PRESETS[flags.preset];
  // Whoever asks for his own database wants to know it as it is.
  const asItIs = flags.preset === "quick" && givenUrl(flags["database-url"]) !== undefined;
  return {
    modes: flags.modes ?? MODES,
    workloads: await workloads(flags.cost ?? preset.costs, flags),
    latencies: flags.latency ?? (asItIs ? [0] : preset.latencies),
    repeat: flags.repeat,
    batchSize: flags["batch-size"] ?? preset.batchSize,
    workers: flags.workers,
    engine: flags.engine,
  };
}

async function workloads(
  costs: readonly number[],
  { preset, count, input }: Values,
): Promise<Workload[]> {
  if (count !== undefined && count.length > 1 && count.length !== costs.length) {
    throw new UsageError(
      `Cannot run this as --count has ${count.length} numbers for ${costs.length} ${
        costs.length === 1 ? "cost" : "costs"
      }: give one number, or one for each cost`,
    );
  }
  const given = costs.map((_, i) => count?.[i] ?? count?.[0]);
  const counts = input === undefined
    ? costs.map((cost, i) => given[i] ?? PRESETS[preset].count(cost))
    : given.map((count) => count ?? Infinity);
  const most = Math.max(...counts);
  const passwords = input === undefined ? randomPasswords(most) : await fromFile(input, most);
  return costs.map((cost, i) => ({ cost, passwords: passwords.slice(0, counts[i]) }));
}

async function fromFile(path: string, count: number): Promise<string[]> {
  const { passwords, skipped } = await readPasswords(path, count);
  for (const { line, reason } of skipped) console.error(`Skipping line ${line}: ${reason}`);
  if (count !== Infinity && passwords.length < count) {
    console.error(`Hashing ${passwords.length} passwords, not ${count}: '${path}' has no more`);
  }
  return passwords;
}

function findMode(name: string): typeof MODES[number] {
  const found = oneOf(name, MODE_NAMES);
  return MODES.find(({ name }) => name === found)!;
}

function parseLatency(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value <= MAX_LATENCY) return value;
  throw new UsageError(
    `must be a number of milliseconds from 0 to ${MAX_LATENCY}, not '${text}'`,
  );
}
