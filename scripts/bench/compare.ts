import { alignColumns } from "../cli/columns.ts";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError } from "../cli/run.ts";
import type { Report, Result } from "./report.ts";
import { describeSubject, wordsOf } from "./work.ts";
import { overlap, type Summary } from "../measure/statistics.ts";
import { duration } from "./format.ts";

/** This run beside an earlier one. */
export interface Comparison {
  readonly file: string;
  /** What is told of the time for each: "hash" or "result". */
  readonly unit: string;
  /** What was different then, in words. */
  readonly differences: readonly string[];
  readonly results: readonly ComparedResult[];
}

/** A mode at a cost and latency that both runs have. */
export interface ComparedResult {
  readonly mode: string;
  readonly cost: number | null;
  readonly latencyMs: number;
  /** Milliseconds a result, of the median run, then and now. */
  readonly beforeMs: number;
  readonly nowMs: number;
  /** Now / before: below 1 it has become faster. */
  readonly ratio: number;
  /** Whether the difference is larger than that between the runs of either. */
  readonly clear: boolean;
}

/** What is used of an earlier report. Reports of other versions of Burst may have more or less. */
type Earlier = Pick<Report, "environment"> & {
  readonly settings?: Report["settings"];
  readonly work?: Report["work"];
  readonly results: readonly Pick<Result, "mode" | "cost" | "latencyMs" | "count" | "wallMs">[];
};

/**
 * Reads what `--json` has printed before.
 *
 * @throws {ScriptError} If the file cannot be read, or is something else.
 */
export async function readEarlier(path: string): Promise<Earlier> {
  const text = await Deno.readTextFile(path).catch((error) => {
    throw new ScriptError(`Cannot compare with '${path}' as ${whyUnreadable(error)}`);
  });
  const report = parse(text);
  if (isEarlier(report)) return report;
  throw new ScriptError(
    `Cannot compare with '${path}' as it is not the output of --json: make one with --json > FILE`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEarlier(value: unknown): value is Earlier {
  const { version, environment, results } = (value ?? {}) as Partial<Report>;
  return version === 1 && typeof environment === "object" && environment !== null &&
    Array.isArray(results) && results.every(isResult);
}

function isResult(value: unknown): boolean {
  const { mode, cost, latencyMs, count, wallMs } = (value ?? {}) as Partial<Result>;
  return typeof mode === "string" && (cost === null || Number.isFinite(cost)) &&
    [latencyMs, count, wallMs?.median, wallMs?.min, wallMs?.max].every(Number.isFinite) &&
    Array.isArray(wallMs?.samples);
}

/** Sets a report beside an earlier one, by the time for each result: their counts may differ. */
export function compare(now: Report, before: Earlier, file: string): Comparison {
  const results = now.results.flatMap((result): ComparedResult[] => {
    const { mode, cost, latencyMs, count, wallMs } = result;
    const earlier = before.results.find((one) =>
      one.mode === mode && one.cost === cost && one.latencyMs === latencyMs
    );
    if (earlier === undefined) return [];
    const [a, b] = [perResult(earlier.wallMs, earlier.count), perResult(wallMs, count)];
    return [{
      mode,
      cost,
      latencyMs,
      beforeMs: a.median,
      nowMs: b.median,
      ratio: b.median / a.median,
      clear: Math.min(a.samples.length, b.samples.length) > 1 && !overlap(a, b),
    }];
  });
  return { file, unit: wordsOf(now.work).result, differences: differences(now, before), results };
}

function perResult({ median, min, max, samples }: Summary, count: number): Summary {
  return { median: median / count, min: min / count, max: max / count, samples };
}

/** What has an effect on the figures, and may differ between two runs. */
const CONDITIONS: readonly (readonly [name: string, of: (report: Earlier) => unknown])[] = [
  ["work", ({ work }) => work ? describeSubject(work) : "bcrypt"],
  ["Deno", ({ environment }) => environment.deno],
  ["processor", ({ environment }) => environment.cpu],
  ["cores", ({ environment }) => environment.cores],
  ["PostgreSQL", ({ environment }) => environment.postgres],
  ["engine", ({ settings }) => settings?.engine],
  ["workers", ({ settings }) => settings?.workers],
  ["batch size", ({ settings }) => settings?.batchSize],
];

function differences(now: Report, before: Earlier): string[] {
  return CONDITIONS.flatMap(([name, of]) => {
    const [was, is] = [of(before), of(now)];
    return was === undefined || was === is ? [] : [`${name} ${was} then, ${is} now`];
  });
}

/** The comparison as a table of texts, with its head. */
export function comparisonRows({ results }: Comparison): string[][] {
  return [
    ["mode", "cost", "latency", "before", "now", "ratio", ""],
    ...results.map(({ mode, cost, latencyMs, beforeMs, nowMs, ratio, clear }) => [
      mode,
      `${cost ?? "–"}`,
      `${latencyMs} ms`,
      duration(beforeMs),
      duration(nowMs),
      `${ratio.toFixed(2)}×`,
      clear ? (ratio < 1 ? "faster" : "slower") : "within the noise",
    ]),
  ];
}

/** The comparison for a terminal. */
export function formatComparison(comparison: Comparison): string {
  const { file, unit, differences, results } = comparison;
  if (results.length === 0) {
    return `Nothing to compare: '${file}' has no mode at a cost and latency of this run`;
  }
  return [
    `Compared with '${file}', wall time per ${unit}:`,
    ...differences.map((text) => `  Different: ${text}`),
    "",
    ...alignColumns(comparisonRows(comparison), [0, 6]).map((line) => `  ${line}`),
  ].join("\n");
}
