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
import type { Program } from "../cli/program.ts";
import { UsageError } from "../cli/run.ts";
import { engine, HELP } from "../cli/shared_flags.ts";
import { FORMATS } from "../input/format.ts";
import { ALGORITHM_FLAGS } from "./algorithm_flags.ts";
import { MODES } from "./modes.ts";
import { PRESET_NAMES, PRESETS } from "./presets.ts";

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
  work: text(
    "WORK",
    "module whose default export is your function, to measure it instead of hashing",
  ),
  ...ALGORITHM_FLAGS,
  count: series("N", "items in each run: one number, or one for each cost", undefined, {
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
  engine: engine("what hashes with bcrypt in the pool modes"),
  repeat: integer("runs of each mode; the modes take turns", 3),
  input: text(
    "FILE",
    "passwords, one per line (default: random ones); with --work the rows it is called with, as CSV, JSON, NDJSON or lines (default: the numbers from 0)",
  ),
  format: choice("format of FILE with --work (default: from its name)", FORMATS, undefined),
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

const USAGE = `Measures how much faster hashing, or a function of yours, is when saves to
PostgreSQL run concurrently.

Usage: deno run -A scripts/bench.ts [flags]

Examples:
  deno run -A scripts/bench.ts --cost 10 --modes serial,pool --report page.html
  deno run -A scripts/bench.ts --work score.ts --input texts.csv

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read --allow-sys --allow-write
  and --allow-run to start a server of its own
  and --allow-run for --report and --svg`;

export const BENCH: Program = {
  name: "bench",
  description: "measures what concurrency gains on your database",
  usage: USAGE,
  flags: FLAGS,
};

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
