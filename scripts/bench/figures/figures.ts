import { median } from "../../measure/statistics.ts";
import { duration } from "../format.ts";
import { blocksOf, latencyOf, type Report, type Result } from "../report.ts";
import type { Measurement } from "../runner.ts";
import { countResults, describeBlock, wordsOf } from "../work.ts";
import {
  PUBLISHED_POINTS,
  roundTrips,
  slowdownPoints,
  strip,
  timelineBars,
  typicalRun,
} from "./data.ts";
import { draw } from "./draw.ts";
import type { Heading, Spec } from "./marks.ts";
import { slowdownSpec } from "./slowdown.ts";
import { roundTripSpec, stripSpec, tellStrip, timelineSpec, wallSpec } from "./specs.ts";

/** Pixels that a figure is wide: on a screen or paper, and on a phone. */
const [WIDE, NARROW] = [960, 340];

/** What a figure shows: all but the last for each cost and latency. */
export type FigureKind =
  | "wall-time"
  | "timeline"
  | "round-trip"
  | "loop-delay"
  | "response"
  | "slowdown";

/** A figure, drawn. */
export interface Figure {
  readonly kind: FigureKind;
  /** Its file's name, without the end. */
  readonly name: string;
  /** What it shows, for those who cannot see it. */
  readonly alt: string;
  readonly wide: string;
  readonly narrow: string;
}

type Sketch = Pick<Figure, "kind" | "name" | "alt"> & { readonly spec: (width: number) => Spec };

/**
 * Draws what a report shows.
 *
 * @returns The figures of each block of the report, and those of all costs.
 * @throws {ScriptError} If the library that draws cannot be had.
 */
export async function drawFigures(
  report: Report,
  measurements: readonly Measurement[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<{ blocks: Figure[][]; slowdowns: Figure[] }> {
  const measured = blocksOf(measurements);
  const groups = [
    ...blocksOf(report.results).map((block, i) => sketchBlock(report, block, measured[i])),
    report.latencies.flatMap(({ askedMs }) => sketchSlowdown(report, askedMs)),
  ];
  const specs = [WIDE, NARROW].flatMap((width) => groups.flat().map(({ spec }) => spec(width)));
  const svgs = await draw(specs, signal);
  const [wide, narrow] = [svgs.values(), svgs.slice(svgs.length / 2).values()];
  const blocks = groups.map((group) =>
    group.map(({ kind, name, alt }): Figure => {
      return { kind, name, alt, wide: wide.next().value!, narrow: narrow.next().value! };
    })
  );
  return { slowdowns: blocks.pop()!, blocks };
}

function sketchBlock(
  report: Report,
  results: readonly Result[],
  measurements: readonly Measurement[],
): Sketch[] {
  const [{ cost, latencyMs, count }] = results;
  const words = wordsOf(report.work);
  const { saveMs } = latencyOf(report, latencyMs);
  const subtitle = `${describeBlock(report.work, cost)}, ${tellLatency(latencyMs)}`;
  const sketch = (
    kind: FigureKind,
    text: string,
    told: readonly string[],
    spec: (heading: Heading, width: number) => Spec,
    remark: readonly string[] = [],
  ): Sketch => ({
    kind,
    name: `${kind}-${cost === null ? "" : `cost-${cost}-`}${latencyMs}ms`,
    alt: `${text}, ${[subtitle, ...remark].join(", ")}. ${told.join("; ")}.`,
    spec: (width) => spec({ text, subtitle: [subtitle, ...remark] }, width),
  });

  const runs = measurements.map((one) => ({ mode: one.mode.name, run: typicalRun(one) }));
  const bars = runs.flatMap(({ mode, run }) => timelineBars(mode, run, report.settings.batchSize));
  const shown = Math.max(...bars.map(({ request }) => request));
  const ends = [...Map.groupBy(bars, ({ mode }) => mode)].map(([mode, bars]) =>
    `${mode} is done after ${duration(Math.max(...bars.map(({ to }) => to)))}`
  );
  const saving = runs.filter((_, i) => measurements[i].mode.sink === "database");
  const trips = roundTrips(saving, saveMs);
  const delays = measurements.flatMap(({ mode, runs }) =>
    strip(mode.name, runs.flatMap(({ loopDelay }) => loopDelay.delays))
  );
  const responses = measurements.flatMap(({ mode, runs }) =>
    strip(mode.name, runs.flatMap(({ responseMs }) => responseMs))
  );
  const { run: { timeline } } = runs[Math.max(0, results.findIndex(({ onPool }) => !onPool))];
  const each = median(
    [...timeline.computeEnd].map((end, id) => end - timeline.computeStart[id]).filter(isFinite),
  );
  const ideal = ["pool-no-io", "no-io"].flatMap((name) =>
    results.filter(({ mode }) => mode === name)
  ).at(0);
  return [
    sketch(
      "wall-time",
      `Wall time of ${countResults(count, report.work)}`,
      results.map(({ mode, wallMs }) => `${mode} ${duration(wallMs.median)}`),
      (heading, width) => wallSpec(results, heading, ideal?.wallMs.median, width),
      ideal && [
        `dashed: ${words.computing} alone ${ideal.onPool ? "on all cores" : "on one thread"}`,
      ],
    ),
    sketch(
      "timeline",
      shown === count ? "All requests" : `The first ${shown} requests`,
      ["A row for each request, a bar while it is computed and one while it is saved", ...ends],
      (heading, width) => timelineSpec(bars, words, heading, width),
    ),
    ...trips.trips.length === 0 ? [] : [sketch(
      "round-trip",
      "One save, magnified",
      [
        `A save takes ${duration(saveMs)}`,
        ...trips.trips.map(({ mode, saveMs }) => `${mode} saw ${duration(saveMs)}`),
      ],
      (heading, width) => roundTripSpec(trips, saveMs, words, heading, width),
    )],
    sketch(
      "loop-delay",
      "How late the event loop is",
      delays.map(tellStrip),
      (heading, width) => stripSpec(delays, heading, each, width),
      [`dashed: one ${words.result}, ${duration(each)}`],
    ),
    ...responses.length === 0 ? [] : [sketch(
      "response",
      "Time from request to answer",
      responses.map(tellStrip),
      (heading, width) => stripSpec(responses, heading, saveMs, width),
      [`dashed: a save takes ${duration(saveMs)}`],
    )],
  ];
}

function sketchSlowdown(report: Report, latencyMs: number): Sketch[] {
  const points = slowdownPoints(report.results.filter((one) => one.latencyMs === latencyMs));
  if (points.length === 0) return [];
  // They were measured with a round trip; beside saves without one they would say nothing.
  const published = latencyMs === 0 ? [] : PUBLISHED_POINTS.map((point) => {
    // Its costs are those of bcrypt.
    return report.work.kind === "passwords" ? point : { ...point, cost: null };
  });
  const text = "What saving costs";
  const subtitle = [
    "slowdown by time per iteration",
    tellLatency(latencyMs),
    ...published.length === 0 ? [] : ["* published: one core, 100 ms"],
  ];
  const told = points.map(({ mode, iteration, slowdown }) =>
    `${mode} ${slowdown.toFixed(2)}× at ${duration(iteration)}`
  );
  return [{
    kind: "slowdown",
    name: `slowdown-${latencyMs}ms`,
    alt: `${text}, ${subtitle.join(", ")}. ${told.join("; ")}.`,
    spec: (width) =>
      slowdownSpec(points, published, wordsOf(report.work), { text, subtitle }, width),
  }];
}

function tellLatency(latencyMs: number): string {
  return latencyMs === 0 ? "no latency added" : `${latencyMs} ms latency added`;
}
