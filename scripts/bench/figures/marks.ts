import { CONFIG } from "./theme.ts";

/** A specification of Vega-Lite. */
export type Spec = Readonly<Record<string, unknown>>;

/** What is written above a figure. */
export interface Heading {
  readonly text: string;
  readonly subtitle: readonly string[];
}

/** A label to the right of its place. */
export const TEXT = { type: "text", align: "left", baseline: "middle", dx: 6, aria: false };

/** Pixels left of the plot, for the names of the modes. */
export const LEFT = 80;

export function figure(title: Heading, spec: Spec): Spec {
  const $schema = "https://vega.github.io/schema/vega-lite/v6.json";
  return { $schema, config: CONFIG, title, ...spec };
}

/** A channel for numbers. */
export function quantitative(field: string, title: string): Spec {
  return { field, type: "quantitative", title };
}

/** A channel with a row for each mode. */
export const MODE_AXIS = {
  field: "mode",
  type: "nominal",
  sort: null,
  title: null,
  axis: { ticks: false, domain: false, labelColor: "var(--text)", minExtent: LEFT - 8 },
};

/** From the least to the most. */
export function whiskers(encoding: Spec): Spec {
  const [rule, ticks] = [{ aria: false }, { size: 8, aria: false }];
  return { mark: { type: "errorbar", color: "var(--text)", rule, ticks }, encoding };
}

/** A dashed line to compare with. */
export function referenceLine(channel: "x" | "y", value: number): Spec {
  return {
    data: { values: [{}] },
    mark: { type: "rule", color: "var(--text)", strokeDash: [4, 3], aria: false },
    encoding: { y: null, [channel]: { datum: value, type: "quantitative" } },
  };
}
