import { nearestToMedian, quantile } from "../../measure/statistics.ts";
import type { Result } from "../report.ts";
import type { Run } from "../run.ts";
import type { Measurement } from "../runner.ts";

/** Requests that a timeline shows: two batches of the quick preset, or a batch if that is larger. */
const [FEWEST_SHOWN, MOST_SHOWN] = [60, 100];
/** Below this share of the picture's width, computations in a row are drawn as one. */
const TOO_SMALL = 1 / 400;
/** The percentiles of a strip, as shares. */
const PERCENTILES = [0.5, 0.9, 0.99, 1];

/** The run of a mode that is nearest to the median. */
export function typicalRun({ runs }: Pick<Measurement, "runs">): Run {
  return runs[nearestToMedian(runs.map(({ wallMs }) => wallMs))];
}

/** A bar of a timeline. Times are milliseconds since the run began. */
export interface Bar {
  readonly mode: string;
  readonly request: number;
  readonly kind: "compute" | "save";
  readonly from: number;
  readonly to: number;
}

/** The first requests of a run, counted from 1. What did not happen has no bar. */
export function timelineBars(mode: string, { timeline, start }: Run, batchSize: number): Bar[] {
  const { computeStart, computeEnd, saveStart, saveEnd } = timeline;
  const shown = Math.min(
    computeStart.length,
    Math.max(FEWEST_SHOWN, Math.min(MOST_SHOWN, batchSize)),
  );
  const kinds = [["compute", computeStart, computeEnd], ["save", saveStart, saveEnd]] as const;
  return kinds.flatMap(([kind, starts, ends]) =>
    Array.from(starts.subarray(0, shown), (from, id) => {
      return { mode, request: id + 1, kind, from: from - start, to: ends[id] - start };
    }).filter(({ from, to }) => !Number.isNaN(to - from))
  );
}

/** One save of a mode, and what was computed around it. Times are milliseconds since it was sent. */
export interface RoundTrip {
  readonly mode: string;
  /** How long the save took as the program saw it: the median of the run. */
  readonly saveMs: number;
  readonly computed: readonly (readonly [from: number, to: number])[];
}

/** A typical save of each run that saves, on one time axis that ends a little behind the longest. */
export function roundTrips(
  runs: readonly { readonly mode: string; readonly run: Run }[],
  trueMs: number,
): { readonly window: readonly [from: number, to: number]; readonly trips: RoundTrip[] } {
  const typical = runs.flatMap(({ mode, run: { timeline } }) => {
    const { saveStart, saveEnd } = timeline;
    const ids = [...saveStart.keys()].filter((id) => !Number.isNaN(saveEnd[id] - saveStart[id]));
    if (ids.length === 0) return [];
    const id = ids[nearestToMedian(ids.map((id) => saveEnd[id] - saveStart[id]))];
    return [{ mode, timeline, sent: saveStart[id], saveMs: saveEnd[id] - saveStart[id] }];
  });
  const longest = Math.max(trueMs, ...typical.map(({ saveMs }) => saveMs));
  const window = [-0.15 * longest, 1.2 * longest] as const;
  const least = (window[1] - window[0]) * TOO_SMALL;
  const trips = typical.map(({ mode, timeline, sent, saveMs }): RoundTrip => {
    const spans = Array.from(
      timeline.computeStart,
      (from, id) => [from - sent, timeline.computeEnd[id] - sent] as const,
    ).filter(([from, to]) => to > window[0] && from < window[1]);
    return { mode, saveMs, computed: merge(spans, least) };
  });
  return { window, trips };
}

/** Draws together what would be too small to be seen. */
function merge(
  spans: readonly (readonly [from: number, to: number])[],
  least: number,
): [from: number, to: number][] {
  const merged: [number, number][] = [];
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && to - from < least && from - last[1] < least) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** Some percentiles of a mode's times, in milliseconds. */
export interface Strip {
  readonly mode: string;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The percentiles of a mode over all its runs; none where there are no times. */
export function strip(mode: string, times: readonly number[]): Strip[] {
  if (times.length === 0) return [];
  const [p50, p90, p99, max] = PERCENTILES.map((share) => quantile(times, share)!);
  return [{ mode, p50, p90, p99, max }];
}

/** A point of the figure of slowdowns. */
export interface SlowdownPoint {
  readonly mode: string;
  readonly cost: number | null;
  /** Milliseconds that an iteration takes without saving. */
  readonly iteration: number;
  readonly slowdown: number;
  readonly low: number;
  readonly high: number;
}

/** The slowdown of each mode over the time of an iteration, at one latency. */
export function slowdownPoints(results: readonly Result[]): SlowdownPoint[] {
  return results.flatMap(({ mode, cost, count, slowdown, wallMs }) => {
    const floor = results.find((one) => one.mode === "no-io" && one.cost === cost);
    if (floor === undefined || slowdown === null || mode === "no-io") return [];
    const { median } = floor.wallMs;
    const [low, high] = [wallMs.min / median, wallMs.max / median];
    return [{ mode, cost, iteration: median / count, slowdown, low, high }];
  });
}

/** What the original experiment published, in seconds, with saves of 100 ms. */
const PUBLISHED = [
  { cost: 8, count: 600, noIo: 9.37, async: 9.77, batched: 10.22, serial: 71.03 },
  { cost: 10, count: 400, noIo: 24.94, async: 25.23, batched: 25.48, serial: 66.04 },
  { cost: 11, count: 400, noIo: 49.77, async: 50.13, batched: 50.37, serial: 90.86 },
  { cost: 12, count: 400, noIo: 99.49, async: 99.91, batched: 100.29, serial: 140.64 },
];

/** The points of the original experiment. */
export const PUBLISHED_POINTS: readonly SlowdownPoint[] = PUBLISHED.flatMap((row) =>
  (["serial", "batched", "async"] as const).map((mode) => {
    const slowdown = row[mode] / row.noIo;
    const iteration = row.noIo / row.count * 1000;
    return { mode, cost: row.cost, iteration, slowdown, low: slowdown, high: slowdown };
  })
);
