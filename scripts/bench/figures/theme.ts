/** The colours of page and figures, in the light and in the dark: `var(--name)`. */
const COLOURS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  background: ["#ffffff", "#14181f"],
  panel: ["#f5f6f8", "#1c222c"],
  text: ["#1c2330", "#e4e8ee"],
  faint: ["#5c6675", "#9aa6b6"],
  line: ["#dde1e7", "#333c4a"],
  cpu: ["#3465c9", "#7aa5ff"],
  io: ["#ee8a1d", "#ffb15c"],
  best: ["#1f8a3b", "#5fd17c"],
};

/** A style sheet that sets the colours for a selector, by what the reader's system prefers. */
export function colourStyle(selector: string): string {
  const [light, dark] = [0, 1].map((i) =>
    `${selector}{${
      Object.entries(COLOURS).map(([name, pair]) => `--${name}:${pair[i]}`).join(";")
    }}`
  );
  return `${light}@media(prefers-color-scheme:dark){${dark}}`;
}

/** The look of all figures, as the `config` of Vega-Lite. */
export const CONFIG = {
  background: "transparent",
  font: "system-ui, sans-serif",
  padding: 4,
  view: { stroke: null },
  title: {
    color: "var(--text)",
    subtitleColor: "var(--faint)",
    anchor: "start",
    frame: "bounds",
    fontSize: 15,
    subtitleFontSize: 12,
    subtitlePadding: 5,
    offset: 14,
  },
  axis: {
    labelColor: "var(--faint)",
    titleColor: "var(--faint)",
    titleFontWeight: "normal",
    labelFontSize: 12,
    titleFontSize: 12,
    gridColor: "var(--line)",
    domainColor: "var(--line)",
    tickColor: "var(--line)",
  },
  header: {
    title: null,
    labelColor: "var(--text)",
    labelFontSize: 12,
    labelAnchor: "start",
    labelPadding: 2,
  },
  text: { color: "var(--text)", fontSize: 12, font: "system-ui, sans-serif" },
  legend: {
    orient: "top",
    title: null,
    labelColor: "var(--text)",
    labelFontSize: 12,
    labelLimit: 0,
    symbolStrokeWidth: 0,
    columnPadding: 14,
    offset: 10,
  },
};
