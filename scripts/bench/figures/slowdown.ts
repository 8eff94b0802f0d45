import { duration } from "../format.ts";
import { MODES } from "../modes.ts";
import type { Words } from "../work.ts";
import type { SlowdownPoint } from "./data.ts";
import {
  figure,
  type Heading,
  quantitative,
  referenceLine,
  type Spec,
  TEXT,
  whiskers,
} from "./marks.ts";

/** Pixels of the plot, and between two labels. */
const [HEIGHT, GAP] = [340, 15];
const FACTORS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];

/** What saving costs over the time of an iteration: a line for each mode, beside those published. */
export function slowdownSpec(
  ours: readonly SlowdownPoint[],
  published: readonly SlowdownPoint[],
  { result }: Words,
  heading: Heading,
  width: number,
): Spec {
  const all = [...ours, ...published];
  const times = all.map(({ iteration }) => iteration);
  const factors = all.flatMap(({ low, high }) => [low, high]).concat(1);
  const xScale = logScale(times, 1.25);
  const yScale = logScale(factors, 1.15);
  const y = (field: string) => ({
    ...quantitative(field, "slowdown relative to no-io"),
    scale: yScale,
    axis: { values: FACTORS, format: "~r", labelExpr: "datum.label + '×'" },
  });
  const colour = {
    field: "mode",
    type: "nominal",
    scale: { domain: MODES.map(({ name }) => name) },
    legend: null,
  };
  const curves = (points: readonly SlowdownPoint[], own: boolean): Spec => {
    const color = own ? colour : { value: "var(--faint)" };
    const values = points.map((point) => ({
      ...point,
      text: `${point.mode}${own ? "" : " as published"}: ${point.slowdown.toFixed(2)}× at ${
        duration(point.iteration)
      } a ${result}`,
    }));
    const x = {
      ...quantitative("iteration", own ? `CPU time of a ${result}` : "published*"),
      scale: xScale,
      axis: costAxis(points, own),
    };
    const opacity = own ? 1 : 0.5;
    return {
      data: { values },
      encoding: { x, y: y("slowdown") },
      layer: [
        {
          mark: { type: "line", strokeWidth: 2, opacity, aria: false },
          encoding: { color, detail: { field: "mode" } },
        },
        ...own ? [whiskers({ y: y("low"), y2: { field: "high" } })] : [],
        {
          mark: { type: "point", filled: true, size: own ? 75 : 40, opacity },
          encoding: { color, description: { field: "text" } },
        },
      ],
    };
  };
  const labels = [
    ...lineEnds(ours).map((end) => ({ ...end, label: end.mode })),
    ...lineEnds(published).map((end) => ({ ...end, label: `${end.mode}*` })),
  ];
  const end = { datum: xScale.domain[1] };
  return figure(heading, {
    width: width - 190,
    height: HEIGHT,
    resolve: { axis: { x: "independent" } },
    layer: [
      referenceLine("y", 1),
      ...published.length === 0 ? [] : [curves(published, false)],
      curves(ours, true),
      {
        data: { values: spreadLabels(labels, yScale.domain) },
        layer: [
          {
            mark: { type: "rule", opacity: 0.6, strokeDash: [1, 3], aria: false },
            encoding: {
              x: { field: "iteration", type: "quantitative", axis: null },
              x2: end,
              y: y("slowdown"),
              y2: { field: "place" },
              color: colour,
            },
          },
          {
            mark: TEXT,
            encoding: {
              x: { ...end, type: "quantitative", axis: null },
              y: y("place"),
              text: { field: "label" },
            },
          },
        ],
      },
    ],
  });
}

function logScale(values: readonly number[], margin: number) {
  const domain = [Math.min(...values) / margin, Math.max(...values) * margin];
  return { type: "log", domain, nice: false };
}

/** An axis with a tick at each cost: ours below, the published above. */
function costAxis(points: readonly SlowdownPoint[], own: boolean): Spec {
  const costs = [...new Map(points.map(({ cost, iteration }) => [iteration, cost]))];
  const values = costs.map(([iteration]) => iteration);
  const labels = costs.map(([iteration, cost]) => [
    ...cost === null ? [] : [`cost ${cost}`],
    duration(iteration),
  ]);
  return {
    values,
    orient: own ? "bottom" : "top",
    grid: own,
    labelOverlap: "greedy",
    labelPadding: own ? 4 : 16,
    labelExpr: `${JSON.stringify(labels)}[indexof(${JSON.stringify(values)}, datum.value)]`,
  };
}

/** The last point of each line. */
function lineEnds(points: readonly SlowdownPoint[]): SlowdownPoint[] {
  return [...Map.groupBy(points, ({ mode }) => mode).values()].map((line) =>
    line.reduce((a, b) => b.iteration > a.iteration ? b : a)
  );
}

/** Moves labels apart where lines end close to each other. */
function spreadLabels<T extends SlowdownPoint>(ends: readonly T[], [low, high]: readonly number[]) {
  const unit = Math.log(high / low) / HEIGHT;
  const sorted = ends.toSorted((a, b) => b.slowdown - a.slowdown);
  const pixels = sorted.map(({ slowdown }) => Math.log(high / slowdown) / unit);
  for (let round = 0; round < 100; round++) {
    for (let i = 1; i < pixels.length; i++) {
      const move = Math.max(0, GAP - (pixels[i] - pixels[i - 1])) / 2;
      pixels[i - 1] -= move;
      pixels[i] += move;
    }
  }
  return sorted.map((end, i) => ({ ...end, place: high * Math.exp(-pixels[i] * unit) }));
}
