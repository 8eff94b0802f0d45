/** The colours of page and figures, in the light and in the dark: `var(--name)`. */
const COLOURS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  background: ["#ffffff", "#14181f"],
  panel: ["#f5f6f8", "#1c222c"],
  text: ["#1c2330", "#e4e8ee"],
  faint: ["#5c6675", "#9aa6b6"],
  line: ["#dde1e7", "#333c4a"],
  cpu: ["#3465c9", "#7aa5ff"],
  io: ["#ee8a1d", "#ffb15c"],
  "mode-no-io": ["#5c6675", "#9aa6b6"],
  "mode-file": ["#9c6b4e", "#c99a7d"],
  "mode-serial": ["#d43d3d", "#ff7b72"],
  "mode-batched": ["#c78a00", "#efc04a"],
  "mode-async": ["#8a4bd6", "#bd93f9"],
  "mode-burst": ["#0f8a9d", "#58cfe0"],
  "mode-pool-no-io": ["#8d97a5", "#6f7b8b"],
  "mode-pool": ["#1f8a3b", "#5fd17c"],
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
  view: { stroke: null },
  title: {
    color: "var(--text)",
    subtitleColor: "var(--faint)",
    anchor: "start",
    fontSize: 15,
    subtitleFontSize: 12,
    subtitlePadding: 5,
    offset: 12,
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
  legend: {
    orient: "bottom",
    title: null,
    labelColor: "var(--text)",
    labelFontSize: 12,
    labelLimit: 0,
    symbolStrokeWidth: 3,
    symbolSize: 120,
    columnPadding: 14,
  },
};
