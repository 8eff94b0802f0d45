import { blocksOf, latencyOf, type Report, type Result } from "../report.ts";
import type { Measurement } from "../runner.ts";
import {
  delayPoints,
  type SaveTimes,
  saveTimes,
  slowdownPoints,
  timelineBars,
  typicalRun,
} from "./data.ts";
import { draw } from "./draw.ts";
import { wordsOf } from "../work.ts";
import { loopDelaySpec, slowdownSpec, type Spec, timelineSpec } from "./specs.ts";

/** A figure, drawn. */
export interface Figure {
  /** Its file's name, without the end. */
  readonly name: string;
  readonly svg: string;
}

/** The figures of one latency: what saving costs at all costs. */
export interface SlowdownFigure extends Figure {
  readonly latencyMs: number;
}

/** The figures of one cost and latency. */
export interface BlockFigures {
  readonly results: readonly Result[];
  readonly timelines: readonly TimelineFigure[];
  readonly loopDelay: Figure;
}

/** The calls of one mode. */
export interface TimelineFigure extends Figure {
  readonly result: Result;
  /** Over the whole run. */
  readonly saves: SaveTimes | undefined;
}

/** All figures of a report. */
export interface Figures {
  readonly slowdowns: readonly SlowdownFigure[];
  readonly blocks: readonly BlockFigures[];
}

/**
 * Draws what a report shows.
 *
 * @throws {ScriptError} If the library that draws cannot be had.
 */
export async function drawFigures(
  report: Report,
  measurements: readonly Measurement[],
  { batchSize, signal }: { batchSize: number; signal?: AbortSignal },
): Promise<Figures> {
  const specs: Spec[] = [];
  const words = wordsOf(report.work);
  const later = (spec: Spec) => specs.push(spec) - 1;
  const slowdowns = report.latencies.flatMap(({ askedMs }) => {
    const results = report.results.filter(({ latencyMs }) => latencyMs === askedMs);
    const points = slowdownPoints(results);
    if (points.length === 0) return [];
    const figure = later(slowdownSpec(points, words, askedMs));
    return [{ name: `slowdown-${askedMs}ms`, latencyMs: askedMs, figure }];
  });
  const measured = blocksOf(measurements);
  const blocks = blocksOf(report.results).map((results, i) => {
    const [{ cost, latencyMs }] = results;
    const { saveMs } = latencyOf(report, latencyMs);
    const runs = measured[i].map(typicalRun);
    const place = `${cost === null ? "" : `cost-${cost}-`}${latencyMs}ms`;
    return {
      results,
      timelines: results.map((result, j) => ({
        name: `timeline-${place}-${result.mode}`,
        result,
        saves: saveTimes(runs[j], saveMs),
        figure: later(timelineSpec(result.mode, words, timelineBars(runs[j], batchSize))),
      })),
      loopDelay: {
        name: `loop-delay-${place}`,
        figure: later(
          loopDelaySpec(results.flatMap(({ mode }, j) => delayPoints(mode, runs[j]))),
        ),
      },
    };
  });
  const svgs = await draw(specs, signal);
  const drawn = <T extends { readonly figure: number }>(one: T) => ({
    ...one,
    svg: svgs[one.figure],
  });
  return {
    slowdowns: slowdowns.map(drawn),
    blocks: blocks.map(({ results, timelines, loopDelay }) => ({
      results,
      timelines: timelines.map(drawn),
      loopDelay: drawn(loopDelay),
    })),
  };
}

/** All of them, in the order of the page. */
export function listFigures({ slowdowns, blocks }: Figures): Figure[] {
  return [
    ...slowdowns,
    ...blocks.flatMap(({ timelines, loopDelay }) => [...timelines, loopDelay]),
  ];
}
