import { alignColumns, alignTerms, wrap } from "../cli/columns.ts";
import { type Screen, styled } from "../cli/screen.ts";
import { advise } from "./advice.ts";
import { bar, duration, factor, percent, range } from "./format.ts";
import type { Mode } from "./modes.ts";
import {
  blocksOf,
  closeCalls,
  type Environment,
  latencyOf,
  type Report,
  type Result,
} from "./report.ts";
import { countResults, describeBlock, type Words, wordsOf } from "./work.ts";

/** A response time above which a database is slow, in milliseconds. */
const SLOW = 10;
/** Characters of the longest bar. */
const BAR_LENGTH = 12;
/** How far runs of the floor may lie apart before the machine is called noisy: slowest / fastest. */
const NOISY = 1.1;
/** Characters of a line of text. Longer ones are hard to read, however wide the screen is. */
const LONGEST_LINE = 100;

/** What the table tells beside the report. */
export interface TableOptions {
  readonly modes: readonly Mode[];
  readonly repeat: number;
  readonly batchSize: number;
  /** What it is printed on. */
  readonly screen: Screen;
}

/**
 * The report as a newcomer reads it, on a screen of 80 columns or more. Every figure that a decision
 * needs is in it; maxima, samples and the time over pool-no-io are in the JSON, and pictures in the
 * page.
 */
export function formatReport(report: Report, { modes, repeat, batchSize, screen }: TableOptions) {
  const sentences = (texts: readonly string[]) =>
    texts.flatMap((text) => wrap(text, Math.min(screen.columns, LONGEST_LINE)));
  const words = wordsOf(report.work);
  const starred = report.results.some(({ recommended }) => recommended);
  const columns = columnsFor(report.results, screen.columns);
  const blocks = blocksOf(report.results).flatMap((block) => [
    "",
    ...sentences([title(block, report)]).map((line) => styled(line, "bold", screen)),
    "",
    ...table(block, columns, screen),
    ...sentences(remarks(block)),
  ]);
  return [
    ...sentences([
      describeEnvironment(report.environment),
      `Each mode ${words.computes} and saves the same ${words.items} ${
        repeat === 1 ? "once" : `${repeat} times; figures are medians`
      }`,
    ]),
    ...blocks,
    "",
    ...legend(modes, words, batchSize, starred, screen),
    ...speed(report).flatMap((text) => ["", ...sentences([text])]),
  ].join("\n");
}

/** What to do, as the last lines of all. */
export function formatAdvice(report: Report, { columns }: Screen): string {
  return advise(report)
    .flatMap((text) => ["", ...wrap(text, Math.min(columns, LONGEST_LINE))]).join("\n");
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
    ? "no latency added"
    : `${latencyMs} ms latency added (${duration(gotMs)} measured)`;
  return `${describeBlock(report.work, cost)}: ${countResults(count, report.work)}${each}, ${wire}`;
}

/** Which figures of a block are not to be relied on, in sentences. */
export function remarks(block: readonly Result[]): string[] {
  const lines: string[] = [];
  const close = closeCalls(block);
  if (close.length > 0) {
    lines.push(
      `Too close to call, as their runs overlap: ${
        close.map((modes) => modes.join(" ~ ")).join("; ")
      }`,
    );
  }
  const noisy = block.filter(({ sink, wallMs: { min, max } }) =>
    sink === "none" && max > min * NOISY
  );
  if (noisy.length > 0) {
    const spreads = noisy.map(({ mode, wallMs: { min, max } }) =>
      `${mode} differ by ${percent(max / min - 1)}`
    );
    lines.push(`This machine is noisy: runs of ${spreads.join(", of ")}`);
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
        } with no latency added, and anything over ${SLOW} ms is slow`
        : `A simple save takes ${duration(saveMs)}, of which ${duration(gotMs)} is added latency`,
    );
  }
  const late = results.filter(({ mode, onPool, latencyMs, responseMs, loopDelayMs }) => {
    // Batches are sent while nothing is computed.
    if (responseMs === null || onPool || mode === "batched" || responseMs.p50 <= SLOW) return false;
    const { saveMs } = latencyOf(report, latencyMs);
    const over = responseMs.p50 - saveMs;
    return over > 0.1 * saveMs && over <= loopDelayMs.max;
  });
  if (late.length > 0) {
    const modes = [...new Set(late.map(({ mode }) => mode))].join(", ");
    lines.push(
      `Saves only look slow in ${modes}: the answers were there, but the thread was busy ${
        wordsOf(report.work).computing
      }`,
    );
  }
  return lines;
}

/** A column of the table. */
interface Column {
  readonly name: string;
  /** The name in two lines, as short as it can be beside its neighbours. */
  readonly head: readonly [string, string];
  readonly left?: boolean;
  readonly text: (result: Result, longest: number) => string;
}

const RANGE: Column = {
  name: "(min – max)",
  head: ["", "(min – max)"],
  left: true,
  text: ({ wallMs: { min, max } }) => `(${range(min, max)})`,
};
/** The wall time as a bar, on a scale of the longest of the block. */
const BAR: Column = {
  name: "",
  head: ["", ""],
  left: true,
  text: ({ wallMs }, longest) => bar(wallMs.median / longest, BAR_LENGTH),
};
const RESPONSE_P99: Column = {
  name: "response p99",
  head: ["", "p99"],
  text: ({ responseMs }) => responseMs === null ? "–" : duration(responseMs.p99),
};
const LOOP_DELAY: Column = {
  name: "loop delay p99",
  head: ["loop", "delay"],
  text: ({ loopDelayMs }) => duration(loopDelayMs.p99),
};
const CPU_USE: Column = {
  name: "CPU use",
  head: ["CPU", "use"],
  text: ({ cpuUse }) => percent(cpuUse),
};

const COLUMNS: readonly Column[] = [
  {
    name: "mode",
    head: ["", "  mode"],
    left: true,
    text: ({ mode, recommended }) => `${recommended ? "*" : " "} ${mode}`,
  },
  { name: "wall time", head: ["wall", "time"], text: ({ wallMs }) => duration(wallMs.median) },
  RANGE,
  { name: "slowdown", head: ["slow-", "down"], text: ({ slowdown }) => factor(slowdown) },
  { name: "speed-up", head: ["speed-", "up"], text: ({ speedup }) => factor(speedup) },
  {
    name: "rows/s",
    head: ["rows", "/s"],
    text: ({ rowsPerSecond }) => rowsPerSecond === null ? "–" : rowsPerSecond.toFixed(0),
  },
  {
    name: "response p50",
    head: ["response", "p50"],
    text: ({ responseMs }) => responseMs === null ? "–" : duration(responseMs.p50),
  },
  RESPONSE_P99,
  LOOP_DELAY,
  CPU_USE,
];

/** The columns in a terminal: a page has better bars. */
const TERMINAL = COLUMNS.toSpliced(2, 0, BAR);

/** What is left out of a table that is too wide, the least needed first. */
const OPTIONAL: readonly Column[] = [RANGE, BAR, CPU_USE, RESPONSE_P99, LOOP_DELAY];

/** The head of the table, a text for each column. */
export const HEAD = COLUMNS.map(({ name }) => name);

/** A result as texts, one for each column. */
export function cellsOf(result: Result): string[] {
  return COLUMNS.map(({ text }) => text(result, Infinity));
}

/** The columns that a screen has room for. */
function columnsFor(results: readonly Result[], width: number): readonly Column[] {
  let columns: readonly Column[] = TERMINAL;
  for (const column of OPTIONAL) {
    if (Math.max(...lines(results, columns).map(({ length }) => length)) <= width) break;
    columns = columns.filter((one) => one !== column);
  }
  return columns;
}

function lines(results: readonly Result[], columns: readonly Column[]): string[] {
  const heads = [0, 1].map((i) => columns.map(({ head }) => head[i]));
  const longest = Math.max(...results.map(({ wallMs }) => wallMs.median));
  const rows = results.map((result) => columns.map(({ text }) => text(result, longest)));
  return alignColumns([...heads, ...rows], [...columns.keys()].filter((i) => columns[i].left));
}

function table(block: readonly Result[], columns: readonly Column[], screen: Screen): string[] {
  const [top, bottom, ...rows] = lines(block, columns);
  return [
    ...[top, bottom].map((line) => styled(line, "dim", screen)),
    ...rows.map((line, i) => block[i].recommended ? styled(line, "green", screen) : line),
  ];
}

/** What the asterisk means. */
export const BEST = "the best choice here: the fastest mode that saves to the database";

/** What the columns mean. */
export function measures(batchSize: number): readonly (readonly [name: string, meaning: string])[] {
  return [
    ["slowdown", "wall time relative to no-io: at 1.00× saving takes no extra time"],
    ["speed-up", "wall time of serial relative to this mode's"],
    [
      "response",
      `time from a request to its answer, median and 99th percentile; a request saves one row, up to ${batchSize} in burst and pool`,
    ],
    [
      "loop delay",
      "how late timers fire (99th percentile), and so how long the rest of a program would stall",
    ],
    ["CPU use", "CPU time of this program as a share of all cores; the server's is not included"],
  ];
}

function legend(
  modes: readonly Mode[],
  words: Words,
  batchSize: number,
  starred: boolean,
  screen: Screen,
): string[] {
  const columns = Math.min(screen.columns, LONGEST_LINE);
  return [
    ...alignTerms(modes.map(({ name, describe }) => [name, describe(words)]), columns),
    "",
    ...alignTerms([...starred ? [["*", BEST] as const] : [], ...measures(batchSize)], columns),
  ].map((line) => styled(line, "dim", screen));
}
