/**
 * How many passwords a second can be hashed with bcrypt here, by our engines and by what people use
 * otherwise, on one thread and on all cores.
 *
 * ```sh
 * deno run -A --no-lock scripts/engines.ts
 * ```
 *
 * The others are fetched from npm when it runs. Without `--no-lock` they would be put into deno.lock,
 * and everybody would download them from then on.
 */
import { alignColumns, alignTerms } from "./cli/columns.ts";
import { helpText, integer, list, oneOf, parseInteger, toggle } from "./cli/flags.ts";
import { parseFlags } from "./cli/parse_flags.ts";
import { Progress } from "./cli/progress.ts";
import { print } from "./cli/print.ts";
import { missingPermission, runScript, ScriptError } from "./cli/run.ts";
import { NO_TERMINAL } from "./cli/screen.ts";
import { HELP } from "./cli/shared_flags.ts";
import { median } from "./measure/statistics.ts";
import { type Engine, ENGINES } from "./engines/engines.ts";
import { Threads } from "./engines/threads.ts";

const NAMES = ENGINES.map(({ name }) => name);

const FLAGS = {
  cost: list("C", "bcrypt costs, 4 to 31", [8, 10], {
    parse: (text) => parseInteger(text, 4, 31),
  }),
  engines: list("ENGINE", `engines to compare: ${NAMES.join(", ")} (default: all)`, undefined, {
    parse: findEngine,
  }),
  workers: integer("threads in the second column", navigator.hardwareConcurrency),
  repeat: integer("samples of each engine; the engines take turns", 9),
  json: toggle("print JSON, with every sample"),
  help: HELP,
};

function findEngine(text: string): Engine {
  const found = oneOf(text, NAMES);
  return ENGINES.find(({ name }) => name === found)!;
}

const USAGE = `Compares bcrypt engines: ours, and those that people use otherwise.

Usage: deno run -A --no-lock scripts/engines.ts [flags]

Examples:
  deno run -A --no-lock scripts/engines.ts
  deno run -A --no-lock scripts/engines.ts --engines lanes,bcrypt --cost 12

Least permissions, instead of -A:
  --allow-read
  and --allow-env --allow-ffi for @node-rs/bcrypt and bcrypt`;

/** What was measured of an engine at one cost and number of threads. */
interface Measurement {
  readonly engine: string;
  readonly cost: number;
  readonly threads: number;
  /** Hashes a second. */
  readonly samples: number[];
}

/** @param sampleMs How long a sample takes about, in milliseconds. */
export async function main(
  signal: AbortSignal,
  args: readonly string[] = Deno.args,
  sampleMs = 300,
): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.help) return print(helpText(USAGE, FLAGS));
  using progress = new Progress();
  const loaded = await loadAll(flags.engines ?? ENGINES, flags.workers);
  try {
    const measurements = await measure([...loaded.keys()], loaded, {
      ...flags,
      sampleMs,
      signal,
      progress,
    });
    progress[Symbol.dispose]();
    print(flags.json ? JSON.stringify(measurements, null, 2) : format(measurements));
  } finally {
    for (const threads of loaded.values()) threads[Symbol.dispose]();
  }
}

/** Starts the threads of every engine that can be had here. */
async function loadAll(
  engines: readonly Engine[],
  count: number,
): Promise<Map<Engine, Threads>> {
  const loaded = new Map<Engine, Threads>();
  for (const engine of engines) {
    try {
      loaded.set(engine, await Threads.start(engine, count));
    } catch (error) {
      if (missingPermission(error) !== undefined) throw error;
      const [reason] = (error as Error).message.split("\n");
      console.error(`Leaving out ${engine.name} as it cannot be loaded: ${reason}`);
    }
  }
  if (loaded.size > 0) return loaded;
  throw new ScriptError("Cannot compare anything as none of the engines can be loaded");
}

/** Samples of all engines take turns, so that what disturbs the machine disturbs all alike. */
async function measure(
  engines: readonly Engine[],
  loaded: ReadonlyMap<Engine, Threads>,
  { cost: costs, workers, repeat, sampleMs, signal, progress }: {
    cost: readonly number[];
    workers: number;
    repeat: number;
    sampleMs: number;
    signal: AbortSignal;
    progress: Progress;
  },
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const cost of costs) {
    for (const threads of new Set([1, workers])) {
      const each = engines.map((engine) => ({
        hash: (count: number) => loaded.get(engine)!.hash(threads, cost, count),
        measurement: { engine: engine.name, cost, threads, samples: [] as number[] },
        count: 0,
      }));
      for (const one of each) {
        // The code is compiled, and then tells how many hashes a sample takes: groups of twelve are
        // whole ones for three lanes as for four.
        await one.hash(2 ** Math.max(2, 12 - cost));
        const rate = await one.hash(12) / threads;
        one.count = 12 * Math.max(1, Math.round(rate * sampleMs / 1000 / 12));
      }
      for (let round = 0; round < repeat; round++) {
        progress.bar(
          (measurements.length / engines.length + round / repeat) / (costs.length * 2),
          `cost ${cost} on ${threads} ${threads === 1 ? "thread" : "threads"}`,
        );
        for (const { hash, measurement, count } of each) {
          signal.throwIfAborted();
          measurement.samples.push(await hash(count));
        }
      }
      measurements.push(...each.map(({ measurement }) => measurement));
    }
  }
  return measurements;
}

/** A table of the medians, and how many times as fast as the first engine that is. */
function format(measurements: readonly Measurement[]): string {
  const names = [...new Set(measurements.map(({ engine }) => engine))];
  const columns = measurements.filter(({ engine }) => engine === names[0]);
  const head = [
    "hashes/s",
    ...columns.map(({ cost, threads }) =>
      `cost ${cost}, ${threads} ${threads === 1 ? "thread" : "threads"}`
    ),
  ];
  const rows = names.map((name) => [
    name,
    ...columns.map((column) => {
      const { samples } = measurements.find(({ engine, cost, threads }) =>
        engine === name && cost === column.cost && threads === column.threads
      )!;
      // Of neighbours in time, as the machine may be slower at another.
      const ratio = median(samples.map((sample, i) => sample / column.samples[i]));
      const rate = median(samples);
      return `${rate.toFixed(rate < 100 ? 1 : 0)} (${ratio.toFixed(2)}×)`;
    }),
  ]);
  const legend = ENGINES.filter(({ name }) => names.includes(name))
    .map(({ name, description }) => [name, description] as const);
  const { columns: width } = NO_TERMINAL;
  return [...alignColumns([head, ...rows]), "", ...alignTerms(legend, width)].join("\n");
}

if (import.meta.main) await runScript(main);
