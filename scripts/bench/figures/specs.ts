import { duration, range } from "../format.ts";
import type { Result } from "../report.ts";
import type { Words } from "../work.ts";
import type { Bar, RoundTrip, Strip } from "./data.ts";
import {
  figure,
  type Heading,
  LEFT,
  MODE_AXIS,
  quantitative,
  referenceLine,
  type Spec,
  TEXT,
  whiskers,
} from "./marks.ts";

/** Pixels right of the plot, for what is said of the bars. */
const RIGHT = 80;
/** Below this a time is none on a logarithmic axis, in milliseconds. */
const LEAST = 0.01;
const STEPS = [1, 2, 5];
/** Where an axis of times has its ticks. */
const TIMES = [-2, -1, 0, 1, 2, 3, 4, 5].flatMap((n) => STEPS.map((step) => step * 10 ** n));

/** How long each mode took. */
export function wallSpec(
  results: readonly Result[],
  heading: Heading,
  ideal: number | undefined,
  width: number,
): Spec {
  const values = results.map(({ mode, wallMs: { median, min, max }, recommended }) => ({
    ...{ mode, median, min, max, recommended },
    label: duration(median),
    text: `${mode}: ${duration(median)} (${range(min, max)})`,
  }));
  const longest = Math.max(...values.map(({ max }) => max));
  const x = (field: string) => ({
    ...quantitative(field, "milliseconds"),
    scale: { domain: [0, longest], nice: false },
    axis: { tickCount: 5 },
  });
  return figure(heading, {
    width: width - LEFT - RIGHT - 15,
    height: { step: 26 },
    data: { values },
    encoding: { y: MODE_AXIS },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          x: x("median"),
          color: {
            condition: { test: "datum.recommended", value: "var(--best)" },
            value: "var(--cpu)",
          },
          description: { field: "text" },
        },
      },
      whiskers({ x: x("min"), x2: { field: "max" } }),
      { mark: TEXT, encoding: { x: x("max"), text: { field: "label" } } },
      ...ideal === undefined ? [] : [referenceLine("x", ideal)],
    ],
  });
}

/** The first requests of all modes on one time axis: a row each, when it was computed and saved. */
export function timelineSpec(
  bars: readonly Bar[],
  { computing }: Words,
  heading: Heading,
  width: number,
): Spec {
  const modes = Map.groupBy(bars, ({ mode }) => mode);
  const ends = new Map(
    [...modes].map(([mode, bars]) => [mode, Math.max(...bars.map((b) => b.to))]),
  );
  const last = Math.max(...bars.map(({ request }) => request));
  const headers = [...ends].map(([mode, end]) => `${mode}: ${duration(end)}`);
  const values = bars.map(({ mode, request, kind, from, to }) => ({
    mode: `${mode}: ${duration(ends.get(mode)!)}`,
    ...{ top: request - 0.5, bottom: request + 0.5, kind, from, to },
    text: `${mode}, request ${request}: ${kind === "compute" ? "CPU" : "I/O"} ${
      duration(to - from)
    }`,
  }));
  return figure(heading, {
    data: { values },
    facet: { field: "mode", sort: headers },
    columns: 1,
    spacing: 4,
    spec: {
      width: width - 16,
      height: 62,
      mark: { type: "rect" },
      encoding: {
        x: {
          ...quantitative("from", "milliseconds"),
          scale: { domain: [0, Math.max(...ends.values())], nice: false },
          axis: { tickCount: width / 90 },
        },
        x2: { field: "to" },
        y: {
          field: "top",
          type: "quantitative",
          scale: { domain: [last + 0.5, 0.5], nice: false, zero: false },
          axis: null,
        },
        y2: { field: "bottom" },
        color: kindColour({ compute: `CPU: ${computing}`, save: "I/O: saving" }, width),
        description: { field: "text" },
      },
    },
  });
}

/** A save of each mode as its program saw it, beside what it really takes. */
export function roundTripSpec(
  { window, trips }: { window: readonly number[]; trips: readonly RoundTrip[] },
  trueMs: number,
  { computing }: Words,
  heading: Heading,
  width: number,
): Spec {
  const values = trips.flatMap(({ mode, saveMs, computed }) => [
    ...computed.map(([from, to]) => ({
      ...{ mode, kind: "compute" },
      ...{ from: Math.max(from, window[0]), to: Math.min(to, window[1]) },
      text: `${mode}: CPU ${duration(to - from)}`,
    })),
    ...[["save", saveMs] as const, ["true", trueMs] as const].map(([kind, to]) => ({
      ...{ mode, kind, from: 0, to, label: duration(to) },
      text: `${mode}: ${duration(to)}${kind === "true" ? " in truth" : " as seen"}`,
    })),
  ]);
  const x = (field: string) => ({
    ...quantitative(field, "milliseconds since the request was sent"),
    scale: { domain: window, nice: false },
    axis: { tickCount: width / 90 },
  });
  const kinds = ["compute", "save", "true"];
  const yOffset = { field: "kind", sort: kinds, scale: { domain: kinds, paddingInner: 0.1 } };
  return figure(heading, {
    width: width - LEFT - RIGHT,
    height: { step: 14, for: "offset" },
    data: { values },
    encoding: { y: { ...MODE_AXIS, scale: { paddingInner: 0.25 } }, yOffset },
    layer: [
      {
        mark: { type: "bar", stroke: "var(--panel)", strokeWidth: 0.5 },
        encoding: {
          x: x("from"),
          x2: { field: "to" },
          color: kindColour({
            compute: `CPU: ${computing}`,
            save: "I/O: the save as seen",
            true: "the true save",
          }, width),
          description: { field: "text" },
        },
      },
      {
        transform: [{ filter: "datum.label" }],
        mark: TEXT,
        encoding: { x: x("to"), text: { field: "label" } },
      },
    ],
  });
}

/** Percentiles of each mode on a logarithmic axis. */
export function stripSpec(
  strips: readonly Strip[],
  heading: Heading,
  reference: number,
  width: number,
): Spec {
  const plot = width - LEFT - RIGHT - 80;
  const times = strips.flatMap(({ p50, max }) => [p50, max]).concat(reference);
  const drawn = (ms: number) => Math.max(LEAST, ms);
  const values = strips.map((strip) => ({
    mode: strip.mode,
    ...{ p50: drawn(strip.p50), p90: drawn(strip.p90) },
    ...{ p99: drawn(strip.p99), max: drawn(strip.max) },
    label: range(strip.p50, strip.p99),
    text: tellStrip(strip),
  }));
  const domain = [drawn(Math.min(...times) / 1.3), drawn(Math.max(...times)) * 1.15];
  const x = (field: string) => ({
    ...quantitative(field, "milliseconds"),
    scale: { type: "log", domain, nice: false },
    axis: { values: TIMES, format: "~r", labelOverlap: "greedy" },
  });
  const band = (from: string, to: string, height: number, opacity: number) => ({
    mark: { type: "bar", height, opacity, color: "var(--cpu)" },
    encoding: { x: x(from), x2: { field: to }, description: { field: "text" } },
  });
  return figure(heading, {
    width: plot,
    height: { step: 24 },
    data: { values },
    encoding: { y: MODE_AXIS },
    layer: [
      band("p99", "max", 2, 1),
      band("p90", "p99", 6, 0.7),
      band("p50", "p90", 12, 1),
      {
        mark: { type: "tick", thickness: 3, size: 16, color: "var(--text)" },
        encoding: { x: x("p50"), description: { field: "text" } },
      },
      {
        mark: TEXT,
        encoding: { x: { value: plot }, text: { field: "label" } },
      },
      {
        data: { values: [{}] },
        mark: { ...TEXT, dy: -7, color: "var(--faint)" },
        encoding: {
          x: { value: plot },
          y: { value: 0 },
          text: { value: "median – 99%" },
        },
      },
      referenceLine("x", drawn(reference)),
    ],
  });
}

/** Percentiles in words. */
export function tellStrip({ mode, p50, p90, p99, max }: Strip): string {
  return `${mode}: median ${duration(p50)}, 90% within ${duration(p90)}, 99% within ${
    duration(p99)
  }, longest ${duration(max)}`;
}

/** The colours of bars by what they are, with their names in a legend. */
function kindColour(names: Readonly<Record<string, string>>, width: number): Spec {
  const colours: Readonly<Record<string, string>> = { compute: "cpu", save: "io", true: "faint" };
  const domain = Object.keys(names);
  const columns = width < 500 ? 1 : domain.length;
  return {
    field: "kind",
    type: "nominal",
    scale: { domain, range: domain.map((kind) => `var(--${colours[kind]})`) },
    legend: { labelExpr: `${JSON.stringify(names)}[datum.label]`, columns },
  };
}
