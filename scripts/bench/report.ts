import { cpus } from "node:os";
import type { Database } from "../database/connect.ts";
import type { Measurement, Plan } from "./runner.ts";
import { median, quantile } from "../measure/statistics.ts";

/** A response time above which a database is slow, in milliseconds. */
const SLOW = 10;

/** What `--json` prints. */
export interface Report {
  readonly version: 1;
  readonly environment: Environment;
  readonly results: readonly Result[];
}

/** Where it was measured. */
export interface Environment {
  readonly deno: string;
  readonly cpu: string;
  readonly cores: number;
  readonly postgres: string;
  readonly embedded: boolean;
}

/** What was measured of one mode at one cost. Nothing in it is rounded. */
export interface Result {
  readonly mode: string;
  readonly cost: number;
  readonly latencyMs: number;
  readonly count: number;
  readonly wallMs: { median: number; min: number; max: number; samples: readonly number[] };
  /** Median wall time / median wall time of no-io at that cost; null where that was not measured. */
  readonly slowdown: number | null;
  readonly rowsSaved: number;
  /** Null where the mode asks nothing of the database. */
  readonly responseMs: { p50: number; p99: number; max: number } | null;
  readonly loopDelayMs: { p99: number; max: number };
}

/** Sums the measurements up. */
export function makeReport(
  { version, embedded }: Database,
  { passwords }: Plan,
  measurements: readonly Measurement[],
): Report {
  const processors = cpus();
  return {
    version: 1,
    environment: {
      deno: Deno.version.deno,
      cpu: processors[0]?.model ?? "unknown",
      cores: navigator.hardwareConcurrency,
      postgres: version,
      embedded,
    },
    results: measurements.map((measurement) => {
      const { mode, cost, wallMs, responseMs, loopDelayMs, rowsSaved } = measurement;
      const floor = measurements.find((one) => one.mode.name === "no-io" && one.cost === cost);
      return {
        mode: mode.name,
        cost,
        latencyMs: 0,
        count: passwords.length,
        wallMs: {
          median: median(wallMs),
          min: Math.min(...wallMs),
          max: Math.max(...wallMs),
          samples: wallMs,
        },
        slowdown: floor === undefined ? null : median(wallMs) / median(floor.wallMs),
        rowsSaved,
        responseMs: responseMs.length === 0 ? null : {
          p50: quantile(responseMs, 0.5)!,
          p99: quantile(responseMs, 0.99)!,
          max: quantile(responseMs, 1)!,
        },
        loopDelayMs: { p99: quantile(loopDelayMs, 0.99)!, max: quantile(loopDelayMs, 1)! },
      };
    }),
  };
}

/** The report as a newcomer reads it. */
export function formatReport(
  { environment, results }: Report,
  { modes, repeat, batchSize }: Plan,
): string {
  const { deno, cpu, cores, postgres, embedded } = environment;
  const [{ count }] = results;
  const blocks = [...new Set(results.map(({ cost }) => cost))].map((cost) => {
    const atCost = results.filter((result) => result.cost === cost);
    return `${title(cost, count, atCost)}\n${table(atCost.map(row))}`;
  });
  return [
    `PostgreSQL ${postgres} (${
      embedded ? "embedded" : "yours"
    }), Deno ${deno}, ${cores} cores of ${cpu}`,
    `${count} passwords are hashed and saved, ${repeat} ${
      repeat === 1 ? "time" : "times"
    } by each mode; medians (fastest to slowest)`,
    "",
    ...blocks,
    ...legend(modes, batchSize),
    ...speed(results),
  ].join("\n");
}

/** Whether the database is slow, or only seems so. */
function speed(results: readonly Result[]): string[] {
  const waiting = results.filter(({ responseMs }) => responseMs !== null && responseMs.p50 > SLOW);
  if (waiting.length === 0) return [];
  // While a program waits for a single answer, nothing keeps it from hearing it.
  const serial = results.filter(({ mode }) => mode === "serial").map(({ responseMs }) =>
    responseMs!.p50
  );
  const modes = [...new Set(waiting.map(({ mode }) => `'${mode}'`))].join(", ");
  if (serial.length === 0) {
    return [
      "",
      `A save takes more than ${SLOW} ms in ${modes}: add 'serial' to see whose fault it is`,
    ];
  }
  const own = Math.min(...serial);
  return [
    "",
    own > SLOW
      ? `This database is slow: a save takes ${duration(own)}, and more than ${SLOW} ms is slow`
      : `The database answers a save within ${
        duration(own)
      }. Where it seems to take longer (${modes}), the thread\nwas hashing and heard the answer late`,
  ];
}

const HEAD = [
  "mode",
  "wall time",
  "",
  "slowdown",
  "saves/s",
  "response p50",
  "p99",
  "loop delay p99",
];

function title(cost: number, count: number, results: readonly Result[]): string {
  const floor = results.find(({ mode }) => mode === "no-io");
  const each = floor === undefined ? "" : `, ${duration(floor.wallMs.median / count)} a hash`;
  return `bcrypt cost ${cost}${each}`;
}

function row({ mode, wallMs, slowdown, rowsSaved, responseMs, loopDelayMs }: Result): string[] {
  return [
    mode,
    duration(wallMs.median),
    `(${duration(wallMs.min)} to ${duration(wallMs.max)})`,
    slowdown === null ? "–" : `${slowdown.toFixed(2)}×`,
    rowsSaved === 0 ? "–" : (rowsSaved / wallMs.median * 1000).toFixed(0),
    responseMs === null ? "–" : duration(responseMs.p50),
    responseMs === null ? "–" : duration(responseMs.p99),
    duration(loopDelayMs.p99),
  ];
}

/** Columns under each other: the first to the left, numbers to the right. */
function table(rows: readonly string[][]): string {
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, i) => Math.max(...all.map((cells) => cells[i].length)));
  return all.map((cells) =>
    "  " +
    cells.map((cell, i) => i === 0 || i === 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
      .join("  ").trimEnd()
  ).join("\n") + "\n";
}

function legend(modes: Plan["modes"], batchSize: number): string[] {
  const width = Math.max(...modes.map(({ name }) => name.length));
  return [
    ...modes.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`),
    "",
    `  slowdown    wall time against no-io: 1.00× means that saving costs no time at all`,
    `  response    from sending a request (a row; in burst, up to ${batchSize} rows) to its answer`,
    `  loop delay  how late a timer fires: for so long, nothing else in the program is served`,
  ];
}

function duration(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : 2)} ms`;
}
