import { type Comparison, comparisonRows } from "../compare.ts";
import type { drawFigures, Figure, FigureKind } from "../figures/figures.ts";
import { colourStyle } from "../figures/theme.ts";
import { MODES } from "../modes.ts";
import { advise } from "../advice.ts";
import { blocksOf, latencyOf, type Report, type Result } from "../report.ts";
import { duration } from "../format.ts";
import {
  BEST,
  cellsOf,
  describeEnvironment,
  HEAD,
  measures,
  remarks,
  speed,
  title,
} from "../table.ts";
import { describeSubject, type Words, wordsOf } from "../work.ts";
import STYLE from "./page.css" with { type: "text" };
import SCRIPT from "./page.js" with { type: "text" };

/** What the page tells beside the report. */
export interface PageOptions {
  readonly figures: Awaited<ReturnType<typeof drawFigures>>;
  readonly repeat: number;
  readonly comparison?: Comparison | undefined;
}

/** The report as one page that needs nothing else: no network, no other file. */
export async function makePage(report: Report, options: PageOptions): Promise<string> {
  const { figures: { blocks, slowdowns }, repeat, comparison } = options;
  const walls = blocks.flat().filter(({ kind }) => kind === "wall-time");
  const words = wordsOf(report.work);
  // Nothing is loaded, and only this style and script run, whatever text found its way in here.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${await sha256(
    SCRIPT,
  )}'`;
  const data = new TextEncoder().encode(JSON.stringify({ ...report, comparison }, null, 2));
  const body = [
    `<main>
<h1>What concurrency gains</h1>`,
    ...advise(report).map((text) => `<p class="answer">${escape(text)}.</p>`),
    ...walls.map((one) => figure(one)),
    `<p>${
      opening(report)
    }, which takes CPU time, and each ${words.result} is saved to PostgreSQL, which takes a round trip. The modes differ in what the program does while it waits. Each ran ${
      repeat === 1
        ? "once"
        : `${repeat} times, taking turns; figures are medians, and the strokes reach from the fastest run to the slowest`
    }.</p>`,
    `<h2>Why: who waits for whom</h2>`,
    ...speed(report).map((line) => `<p>${escape(line)}.</p>`),
    ...blocksOf(report.results).map((block, i) => blockSection(block, blocks[i], report, i === 0)),
    ...slowdowns.length === 0 ? [] : [
      `<h2>The longer a request computes, the less there is to gain</h2>
<p>At 1×, saving takes no extra time; the modes below 1× ${words.compute} on all cores. In grey: the experiment that this one grew from, on one core and with saves of 100 ms.</p>`,
      ...slowdowns.map((one) => figure(one)),
    ],
    ...comparison === undefined ? [] : [comparisonTable(comparison)],
    `<h2>What was measured</h2>`,
    terms([
      ...MODES.filter(({ name }) => report.results.some(({ mode }) => mode === name))
        .map(({ name, describe }) => [name, describe(words)]),
      ...measures(report.settings.batchSize),
    ]),
    `<h2>Environment</h2>`,
    terms(environment(report, repeat)),
    `<p><a download="burst-benchmark.json" href="data:application/json;base64,${data.toBase64()}">Download the numbers as JSON</a></p>
</main>
<div id="tip" aria-hidden="true"></div>`,
  ];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What concurrency gains</title>
<style>${colourStyle(":root")}
${STYLE}</style>
</head>
<body>
${body.join("\n")}
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** What is computed, as a sentence begins. */
function opening({ work }: Report): string {
  const what = escape(describeSubject(work));
  return work.kind === "passwords"
    ? `Passwords are hashed with ${what}`
    : `Each item is computed by ${what}`;
}

function blockSection(
  results: readonly Result[],
  figures: readonly Figure[],
  report: Report,
  open: boolean,
): string {
  const heading = title(results, report);
  const { saveMs } = latencyOf(report, results[0].latencyMs);
  const explained = explain(wordsOf(report.work), saveMs);
  const best = results.findIndex(({ recommended }) => recommended);
  const notes = [...best === -1 ? [] : [`* ${BEST}`], ...remarks(results)];
  return `<details${open ? " open" : ""}><summary>${escape(heading)}</summary>
${
    figures.filter(({ kind }) => kind in explained).map((one) => figure(one, explained[one.kind]))
      .join("\n")
  }
${table(heading, HEAD, results.map(cellsOf), best)}
${notes.map((line) => `<p class="faint">${escape(line)}.</p>`).join("\n")}
</details>`;
}

/** What is to be seen in the figures of a block. */
function explain(
  { computes, computing, result, results }: Words,
  saveMs: number,
): Partial<Record<FigureKind, string>> {
  return {
    timeline:
      `All modes share this time axis. Each row is one request: first the CPU ${computes}, then the save is in flight. Where the bars of one colour leave no gap from row to row, that resource is never idle. The ${results} that a worker computed together are drawn one after another, with equal shares of the time.`,
    "round-trip": `A save takes ${
      duration(saveMs)
    }, round trip and server together, as measured on the idle machine: the grey bars. The orange bars are what the program saw of a typical save. A thread that is ${computing} receives an answer only between two ${results}. The INSERTs of batched are sent together, and the server runs them one after another; where all cores are busy ${computing}, the server waits for one too.`,
    "loop-delay":
      `While the loop is late, no timer fires, no answer is received and no other request is served. The mark is the median, the thick bar reaches to the 90th percentile, the thinner one to the 99th, and the line to the longest delay; the numbers are median and 99th percentile. A timer that is due every 5 ms is asked, so a mode that gives way after each ${result} is late by what is left of one.`,
    response: "Drawn in the same way. A request of burst or pool saves many rows.",
  };
}

/** Where, when and how it was measured. */
function environment({ environment, run, settings, latencies }: Report, repeat: number) {
  return [
    ["Command", run.command],
    ["Commit", run.commit ?? "unknown"],
    ["Started", run.startedAt],
    ["Machine", describeEnvironment(environment)],
    [
      "Runs",
      `${repeat} of each mode, taking turns; rows compared with what was computed after each`,
    ],
    ["Pool", `${settings.workers} workers`],
    ["Batches", `up to ${settings.batchSize} rows`],
    ...latencies.map(({ askedMs, gotMs, saveMs }) => [
      `Latency ${askedMs} ms`,
      `${
        askedMs === 0 ? "nothing added" : `${duration(gotMs)} added, as measured`
      }; a simple save took ${duration(saveMs)} while the machine was idle`,
    ]),
  ];
}

function figure({ name, alt, wide, narrow }: Figure, caption?: string): string {
  const svg = (svg: string, width: string) =>
    svg.replace("<svg ", () => `<svg class="${width}" role="img" aria-label="${escape(alt)}" `);
  return `<figure id="${name}">${svg(wide, "wide")}${svg(narrow, "narrow")}${
    caption === undefined ? "" : `<figcaption>${escape(caption)}</figcaption>`
  }</figure>`;
}

function comparisonTable(comparison: Comparison): string {
  const { file, unit, differences } = comparison;
  const [head, ...rows] = comparisonRows(comparison);
  return `<h2>Compared with an earlier run</h2>
${differences.map((text) => `<p>Different: ${escape(text)}.</p>`).join("\n")}
${table(`Wall time per ${unit}, compared with ${file}`, head, rows)}`;
}

/** @param best The place of the row that stands out. */
function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  best?: number,
): string {
  // The roles stay where a phone's style makes cards of the rows.
  const heads = head.map((text) => `<th scope="col">${escape(text)}</th>`).join("");
  const lines = rows.map(([first, ...cells], i) =>
    `<tr role="row"${i === best ? ` class="best"` : ""}><th scope="row" role="rowheader">${
      escape(first)
    }</th>${
      cells.map((cell, j) =>
        `<td role="cell" data-name="${escape(head[j + 1])}">${escape(cell)}</td>`
      )
        .join("")
    }</tr>`
  );
  return `<div class="scroll" role="region" tabindex="0" aria-label="${
    escape(caption)
  }"><table role="table"><caption>${
    escape(caption)
  }</caption><thead><tr>${heads}</tr></thead><tbody role="rowgroup">${
    lines.join("")
  }</tbody></table></div>`;
}

function terms(rows: readonly (readonly string[])[]): string {
  return `<dl>${
    rows.map(([name, text]) => `<dt>${escape(name)}</dt><dd>${escape(text)}</dd>`).join("")
  }</dl>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64();
}
