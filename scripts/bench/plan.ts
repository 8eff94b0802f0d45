import { engine } from "../cli/engine.ts";
import {
  choice,
  type FlagValues,
  integer,
  list,
  parseInteger,
  series,
  text,
  toggle,
} from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import { givenUrl } from "../database/connect.ts";
import { MODES } from "./modes.ts";
import { randomPasswords, readPasswords } from "./passwords.ts";
import { PRESET_NAMES, PRESETS } from "./presets.ts";
import type { Plan, Workload } from "./runner.ts";

/** Longest round trip that can be added: the time-outs of driver and batcher leave room for it. */
const MAX_LATENCY = 5000;

const MODE_NAMES = MODES.map(({ name }) => name).join(", ");

/** The flags of the benchmark. */
export const FLAGS = {
  preset: choice(
    PRESET_NAMES.map((name) => `${name}: ${PRESETS[name].help}`).join("; "),
    PRESET_NAMES,
    "quick",
  ),
  cost: list(
    "C",
    "bcrypt costs from 4 to 31; each more takes twice the time",
    undefined,
    { parse: (text) => parseInteger(text, 4, 31) },
  ),
  count: series("N", "passwords in each run: one number, or one for each cost", undefined, {
    parse: (text) => parseInteger(text, 1, Number.MAX_SAFE_INTEGER),
  }),
  latency: list(
    "MS",
    "round-trip times to add, in milliseconds (10 on a server of its own, none on yours)",
    undefined,
    { parse: parseLatency },
  ),
  modes: list("MODE", `of ${MODE_NAMES}; all without it`, undefined, { parse: findMode }),
  "batch-size": integer("most rows of a batch; the preset says", undefined),
  workers: integer("workers of the pool modes", navigator.hardwareConcurrency),
  engine: engine("what hashes in the pool modes"),
  repeat: integer("runs of each mode, interleaved", 3),
  input: text("FILE", "passwords to hash, one a line; without it, random ones"),
  "database-url": text(
    "URL",
    "the PostgreSQL to measure, also DATABASE_URL; without it, a server of its own is started",
  ),
  compare: text("FILE", "what --json printed before, to be compared with"),
  report: text("FILE", "write a page with table and figures, as FILE.html"),
  svg: text("DIR", "write the figures to this folder"),
  json: toggle("print one JSON object instead of a table"),
  help: toggle("print this help"),
};

/** Their values. */
export type Values = FlagValues<typeof FLAGS>;

export const USAGE = "Measures what concurrency gains when hashes are saved to PostgreSQL.\n\n" +
  "Usage: deno run -A scripts/bench.ts [flags]";

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
      }: give one, or one for each cost`,
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
  for (const { line, reason } of skipped) console.error(`Line ${line} is skipped: ${reason}`);
  if (count !== Infinity && passwords.length < count) {
    console.error(`Of the ${count} passwords asked for, '${path}' has ${passwords.length}`);
  }
  return passwords;
}

function findMode(name: string): typeof MODES[number] {
  const mode = MODES.find((mode) => mode.name === name);
  if (mode !== undefined) return mode;
  throw new UsageError(`names no mode '${name}': the modes are ${MODE_NAMES}`);
}

function parseLatency(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value <= MAX_LATENCY) return value;
  throw new UsageError(
    `must be a number of milliseconds from 0 to ${MAX_LATENCY}: it is '${text}'`,
  );
}
