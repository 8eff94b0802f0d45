import { duration } from "../table.ts";
import type { Bar, DelayPoint, SlowdownPoint } from "./data.ts";
import type { Words } from "../work.ts";
import { CONFIG } from "./theme.ts";

/** A specification of Vega-Lite. */
export type Spec = Readonly<Record<string, unknown>>;

/** Below this a delay of the event loop is none, in milliseconds. */
const LEAST_DELAY = 0.1;

/** One row a request: when it was computed, and when it was saved. */
export function timelineSpec(mode: string, { computing }: Words, bars: readonly Bar[]): Spec {
  const end = Math.max(...bars.map(({ to }) => to));
  const requests = bars.map(({ request }) => request);
  const [first, last] = [Math.min(...requests), Math.max(...requests)];
  const values = bars.map(({ request, kind, from, to }) => ({
    top: request - 0.42,
    bottom: request + 0.42,
    kind,
    from,
    to,
    text: `request ${request}: ${kind === "compute" ? "CPU" : "I/O"} ${duration(to - from)}`,
  }));
  return figure({
    title: { text: mode, subtitle: `requests ${first} to ${last} in ${duration(end)}` },
    width: 430,
    height: 250,
    data: { values },
    mark: { type: "rect" },
    encoding: {
      x: {
        field: "from",
        type: "quantitative",
        title: "milliseconds",
        scale: { domain: [0, end], nice: false },
        axis: { tickCount: 6 },
      },
      x2: { field: "to" },
      y: {
        field: "top",
        type: "quantitative",
        title: "request",
        scale: { domain: [last + 1, first - 1], nice: false, zero: false },
        axis: { grid: false, tickMinStep: 1, tickCount: 6 },
      },
      y2: { field: "bottom" },
      color: {
        field: "kind",
        scale: { domain: ["compute", "save"], range: ["var(--cpu)", "var(--io)"] },
        legend: {
          labelExpr: `datum.label === 'compute' ? 'CPU: ${computing}' : 'I/O: saving'`,
          symbolStrokeWidth: 0,
          columns: 2,
        },
      },
      description: { field: "text" },
    },
  });
}

/** What saving costs over the time of an iteration: a line for each mode. */
export function slowdownSpec(
  points: readonly SlowdownPoint[],
  { result }: Words,
  latencyMs: number,
): Spec {
  const times = points.map(({ iteration }) => iteration);
  const values = points.map((point) => ({
    ...point,
    text: `${point.mode}: ${point.slowdown.toFixed(2)}× (${point.low.toFixed(2)} to ${
      point.high.toFixed(2)
    }) at ${duration(point.iteration)} a ${result}`,
  }));
  const x = {
    field: "iteration",
    type: "quantitative",
    title: "milliseconds of CPU per request",
    scale: {
      type: "log",
      domain: [Math.min(...times) / 1.15, Math.max(...times) * 1.15],
      nice: false,
    },
    axis: { values: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], grid: false, format: "~r" },
  };
  const y = (field: string) => ({
    field,
    type: "quantitative",
    title: "slowdown relative to no-io",
    scale: { type: "log", nice: false, padding: 12 },
    axis: {
      values: [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50, 100],
      format: "~r",
      labelExpr: "datum.label + '×'",
    },
  });
  const color = modeColour(points.map(({ mode }) => mode));
  return figure({
    title: {
      text: "What saving costs",
      subtitle: `slowdown by time per iteration, ${
        latencyMs === 0 ? "no latency added" : `${latencyMs} ms of latency`
      }`,
    },
    width: 560,
    height: 320,
    data: { values },
    layer: [
      {
        data: { values: [{}] },
        mark: { type: "rule", strokeDash: [4, 4], color: "var(--faint)", aria: false },
        encoding: { y: { datum: 1 } },
      },
      {
        mark: { type: "rule", strokeWidth: 1.5, opacity: 0.6, aria: false },
        encoding: { x, y: y("low"), y2: { field: "high" }, color },
      },
      {
        mark: { type: "line", strokeWidth: 2, aria: false },
        encoding: { x, y: y("slowdown"), color },
      },
      {
        mark: { type: "point", filled: true, size: 75, opacity: 1 },
        encoding: { x, y: y("slowdown"), color, description: { field: "text" } },
      },
    ],
  });
}

/** How late the event loop was in the course of the runs: a line for each mode. */
export function loopDelaySpec(points: readonly DelayPoint[]): Spec {
  const values = points.map(({ mode, at, delay }) => ({
    mode,
    at,
    delay: Math.max(LEAST_DELAY, delay),
    text: `${mode}: ${duration(delay)} at ${(at * 100).toFixed(0)}% of the run`,
  }));
  const x = {
    field: "at",
    type: "quantitative",
    title: "share of the run",
    scale: { domain: [0, 1] },
    axis: { format: ".0%", grid: false },
  };
  const y = {
    field: "delay",
    type: "quantitative",
    title: "milliseconds late",
    scale: { type: "log", nice: false, padding: 8 },
    axis: { values: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000], format: "~r" },
  };
  const color = modeColour(points.map(({ mode }) => mode));
  return figure({
    title: {
      text: "How late the event loop is",
      subtitle: "longest delay in each fiftieth of a run",
    },
    width: 560,
    height: 260,
    data: { values },
    layer: [
      {
        mark: { type: "line", strokeWidth: 1.8, interpolate: "step", aria: false },
        encoding: { x, y, color },
      },
      {
        mark: { type: "point", filled: true, size: 60, opacity: 0 },
        encoding: { x, y, color, description: { field: "text" } },
      },
    ],
  });
}

function modeColour(modes: readonly string[]): Spec {
  const domain = [...new Set(modes)];
  return {
    field: "mode",
    type: "nominal",
    scale: { domain, range: domain.map((mode) => `var(--mode-${mode})`) },
    legend: { columns: 4, symbolType: "stroke", symbolOpacity: 1 },
  };
}

function figure(spec: Spec): Spec {
  return { $schema: "https://vega.github.io/schema/vega-lite/v6.json", config: CONFIG, ...spec };
}
