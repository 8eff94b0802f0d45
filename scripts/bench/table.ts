import { alignColumns } from "../cli/columns.ts";
import type { Mode } from "./modes.ts";
import {
  blocksOf,
  closeCalls,
  type Environment,
  latencyOf,
  type Report,
  type Result,
} from "./report.ts";
import type { Summary } from "../measure/statistics.ts";

/** A response time above which a database is slow, in milliseconds. */
const SLOW = 10;
/** How far runs of the floor may lie apart before the machine is called noisy: slowest / fastest. */
const NOISY = 1.1;

/** What the table tells beside the report. */
export interface TableOptions {
  readonly modes: readonly Mode[];
  readonly repeat: number;
  readonly batchSize: number;
}

/**
 * The report as a newcomer reads it, for a terminal of 100 columns. Every figure that a decision needs
 * is in it; maxima, samples and the time over pool-no-io are in the JSON, and pictures in the page.
 */
export function formatReport(report: Report, { modes, repeat, batchSize }: TableOptions): string {
  const blocks = blocksOf(report.results).map((block) =>
    [title(block, report), "", table(block), ...remarks(block), ""].join("\n")
  );
  return [
    describeEnvironment(report.environment),
    `Passwords are hashed and saved, ${repeat} ${
      repeat === 1 ? "time" : "times"
    } by each mode; medians (fastest – slowest)`,
    "",
    ...blocks,
    ...legend(modes, batchSize),
    ...speed(report).flatMap((line) => ["", line]),
  ].join("\n");
}

/** The environment in a line. */
export function describeEnvironment(
  { deno, cpu, cores, postgres, embedded }: Environment,
): string {
  return `PostgreSQL ${postgres} (${
    embedded ? "embedded" : "yours"
  }), Deno ${deno}, ${cores} cores of ${cpu}`;
}

/** What a block of the table is about. */
export function title(block: readonly Result[], report: Report): string {
  const [{ cost, count, latencyMs }] = block;
  const floor = block.find(({ mode }) => mode === "no-io");
  const each = floor === undefined ? "" : ` of ${duration(floor.wallMs.median / count)}`;
  const { gotMs } = latencyOf(report, latencyMs);
  const wire = latencyMs === 0
    ? "no round trip added"
    : `a round trip of ${latencyMs} ms added (got ${duration(gotMs)})`;
  return `bcrypt cost ${cost}: ${count} hashes${each}, ${wire}`;
}

/** Which figures of a block are not to be relied on, in sentences. */
export function remarks(block: readonly Result[]): string[] {
  const lines: string[] = [];
  const close = closeCalls(block);
  if (close.length > 0) {
    lines.push(
      `  Too close to tell apart, as their runs overlap: ${
        close.map((modes) => modes.join(" ~ ")).join("; ")
      }`,
    );
  }
  const noisy = block.filter(({ sink, wallMs: { min, max } }) =>
    sink === "none" && max > min * NOISY
  );
  if (noisy.length > 0) {
    const spreads = noisy.map(({ mode, wallMs: { min, max } }) =>
      `${mode} lie ${percent(max / min - 1)} apart`
    );
    lines.push(`  This machine is noisy: the runs of ${spreads.join(", those of ")}`);
  }
  return lines;
}

/** Whether the database is slow, or only seems so. */
export function speed(report: Report): string[] {
  const { latencies, results } = report;
  const lines: string[] = [];
  for (const { askedMs, gotMs, saveMs } of latencies) {
    if (saveMs <= SLOW) continue;
    const own = saveMs - gotMs;
    lines.push(
      own > SLOW || askedMs === 0
        ? `This database is slow: a simple save takes ${
          duration(own)
        } without any latency added, and more than ${SLOW} ms is slow`
        : `A simple save takes ${duration(saveMs)}, which is slow (more than ${SLOW} ms): ${
          duration(gotMs)
        } of it are the round trip that was asked for`,
    );
  }
  const late = results.filter(({ mode, onPool, latencyMs, responseMs, loopDelayMs }) => {
    // Batches are sent while nothing is hashed.
    if (responseMs === null || onPool || mode === "batched" || responseMs.p50 <= SLOW) return false;
    const { saveMs } = latencyOf(report, latencyMs);
    const over = responseMs.p50 - saveMs;
    return over > 0.1 * saveMs && over <= loopDelayMs.max;
  });
  if (late.length > 0) {
    const modes = [...new Set(late.map(({ mode }) => mode))].join(", ");
    lines.push(
      `A save only seems to take longer in ${modes}: the thread was hashing, and heard the answer late`,
    );
  }
  return lines;
}

/** The columns: two lines of head, and the text of a result. The first and third are left-aligned. */
const COLUMNS: readonly (readonly [string, string, (result: Result) => string])[] = [
  ["", "mode", ({ mode, recommended }) => `${recommended ? "*" : " "} ${mode}`],
  ["wall", "time", ({ wallMs }) => duration(wallMs.median)],
  ["", "(min – max)", ({ wallMs }) => range(wallMs)],
  ["slow-", "down", ({ slowdown }) => factor(slowdown)],
  ["speed-", "up", ({ speedup }) => factor(speedup)],
  ["rows", "/s", ({ rowsPerSecond }) => rowsPerSecond === null ? "–" : rowsPerSecond.toFixed(0)],
  ["response", "p50", ({ responseMs }) => responseMs === null ? "–" : duration(responseMs.p50)],
  ["response", "p99", ({ responseMs }) => responseMs === null ? "–" : duration(responseMs.p99)],
  ["loop delay", "p99", ({ loopDelayMs }) => duration(loopDelayMs.p99)],
  ["CPU", "use", ({ cpuUse }) => percent(cpuUse)],
];

/** The head of the table, a text for each column. */
export const HEAD = COLUMNS.map(([top, bottom]) => `${top} ${bottom}`.replace("- ", "").trim());

/** A result as texts, one for each column. */
export function cellsOf(result: Result): string[] {
  return COLUMNS.map(([, , text]) => text(result));
}

function table(block: readonly Result[]): string {
  const heads = [COLUMNS.map(([top]) => top), COLUMNS.map(([, bottom]) => bottom)];
  heads[1][0] = "  mode";
  const all = [...heads, ...block.map(cellsOf)];
  return alignColumns(all, [0, 2]).join("\n");
}

function legend(modes: readonly Mode[], batchSize: number): string[] {
  const width = Math.max(...modes.map(({ name }) => name.length));
  return [
    ...modes.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`),
    "",
    "  *           the way to take here: the fastest that saves to the database",
    "  slowdown    wall time against no-io: 1.00× means that saving costs no time at all",
    "  speed-up    wall time of serial against this one's",
    `  response    from sending a request (a row; in burst and pool up to ${batchSize} rows) to its answer`,
    "  loop delay  how late a timer fires: for so long, nothing else in the program is served",
    "  CPU use     processor time of this program, of all cores: the server's is not in it",
  ];
}

/** A time with three digits and its unit. */
export function duration(ms: number): string {
  const { scale, unit, digits } = unitOf(ms);
  return `${(ms / scale).toFixed(digits)} ${unit}`;
}

function range({ min, max }: Summary): string {
  const { scale, unit, digits } = unitOf(max);
  return `(${(min / scale).toFixed(digits)} – ${(max / scale).toFixed(digits)} ${unit})`;
}

function unitOf(ms: number): { scale: number; unit: string; digits: number } {
  if (ms >= 99_950) return { scale: 1000, unit: "s", digits: 0 };
  if (ms >= 9995) return { scale: 1000, unit: "s", digits: 1 };
  if (ms >= 999.5) return { scale: 1000, unit: "s", digits: 2 };
  return { scale: 1, unit: "ms", digits: ms >= 99.95 ? 0 : ms >= 9.995 ? 1 : 2 };
}

function factor(value: number | null): string {
  return value === null ? "–" : `${value.toFixed(2)}×`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
