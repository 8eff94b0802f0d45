import type { Result } from "../report.ts";
import type { Measurement } from "../runner.ts";
import type { Run } from "../run.ts";
import { nearestToMedian, quantile } from "../../measure/statistics.ts";

/** Requests of a run that a timeline shows: enough to see how it goes, few enough to see each. */
const SHOWN = 60;
/** Parts that a run is cut into to show the delay of its event loop. */
const PARTS = 50;

/** A bar of a timeline. Times are milliseconds since the first bar began. */
export interface Bar {
  readonly request: number;
  readonly kind: "compute" | "save";
  readonly from: number;
  readonly to: number;
}

/** The run of a mode that is nearest to the median. */
export function typicalRun({ runs }: Pick<Measurement, "runs">): Run {
  return runs[nearestToMedian(runs.map(({ wallMs }) => wallMs))];
}

/**
 * The bars of some requests in a row: of those around the end of the first batch, so that the modes
 * that save in batches are seen to do so.
 */
export function timelineBars({ timeline }: Run, batchSize: number): Bar[] {
  const { computeStart, computeEnd, saveStart, saveEnd } = timeline;
  const count = computeStart.length;
  const first = Math.max(0, Math.min(batchSize - SHOWN / 2, count - SHOWN));
  const requests = Array.from({ length: Math.min(SHOWN, count) }, (_, i) => first + i);
  const zero = Math.min(...requests.map((request) => computeStart[request]));
  return requests.flatMap((request) => {
    const spans = [["compute", computeStart, computeEnd], ["save", saveStart, saveEnd]] as const;
    return spans.filter(([, start]) => !Number.isNaN(start[request])).map(([kind, start, end]) => ({
      request: request + 1,
      kind,
      from: start[request] - zero,
      to: end[request] - zero,
    }));
  });
}

/** How long the saves of a run took as its program saw them, beside how long they take. */
export interface SaveTimes {
  readonly count: number;
  readonly p50: number;
  readonly min: number;
  readonly max: number;
  /** The share within 10 % of the true round trip and the server's time. */
  readonly true: number;
}

/** Sums up the saves of all requests of a run; nothing where there are none. */
export function saveTimes({ timeline }: Run, saveMs: number): SaveTimes | undefined {
  const times = [...timeline.saveEnd].map((end, id) => end - timeline.saveStart[id])
    .filter((time) => !Number.isNaN(time));
  if (times.length === 0) return undefined;
  const near = times.filter((time) => Math.abs(time - saveMs) <= 0.1 * saveMs);
  return {
    count: times.length,
    p50: quantile(times, 0.5)!,
    min: Math.min(...times),
    max: Math.max(...times),
    true: near.length / times.length,
  };
}

/** The longest delay of the event loop in a part of a run. */
export interface DelayPoint {
  readonly mode: string;
  /** Where in the run, from 0 to 1. */
  readonly at: number;
  readonly delay: number;
}

/** How late the event loop was over a run. */
export function delayPoints(mode: string, { start, wallMs, loopDelay }: Run): DelayPoint[] {
  const longest = new Map<number, number>();
  for (const [i, delay] of loopDelay.delays.entries()) {
    // What is late now, has been so since it was due.
    const from = partOf(loopDelay.at[i] - delay);
    const to = partOf(loopDelay.at[i]);
    for (let part = from; part <= to; part++) {
      longest.set(part, Math.max(delay, longest.get(part) ?? 0));
    }
  }
  return [...longest].sort(([a], [b]) => a - b)
    .map(([part, delay]) => ({ mode, at: (part + 0.5) / PARTS, delay }));

  function partOf(time: number): number {
    return Math.max(0, Math.min(PARTS - 1, Math.floor((time - start) / wallMs * PARTS)));
  }
}

/** A point of the figure of slowdowns. */
export interface SlowdownPoint {
  readonly mode: string;
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
    return [{ mode, iteration: median / count, slowdown, low, high }];
  });
}
