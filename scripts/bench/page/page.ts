import { type Comparison, comparisonRows } from "../compare.ts";
import type { BlockFigures, Figure, Figures, TimelineFigure } from "../figures/figures.ts";
import { colourStyle } from "../figures/theme.ts";
import { MODES } from "../modes.ts";
import { blocksOf, latencyOf, type Report, type Result } from "../report.ts";
import {
  BEST,
  cellsOf,
  describeEnvironment,
  duration,
  HEAD,
  measures,
  remarks,
  speed,
  title,
} from "../table.ts";
import { describeSubject, type Words, wordsOf } from "../work.ts";
import { SCRIPT, STYLE } from "./style.ts";

/** What the page tells beside the report. */
export interface PageOptions {
  readonly figures: Figures;
  readonly repeat: number;
  readonly workers: number;
  readonly batchSize: number;
  readonly comparison?: Comparison;
  readonly date: Date;
}

/** The report as one page that needs nothing else: no network, no other file. */
export async function makePage(report: Report, options: PageOptions): Promise<string> {
  const { figures, repeat, comparison, date } = options;
  const words = wordsOf(report.work);
  const blocks = blocksOf(report.results);
  const modes = MODES.filter(({ name }) => report.results.some(({ mode }) => mode === name));
  const style = colourStyle(":root") + STYLE;
  const script = SCRIPT;
  // Nothing is loaded, and only this style and script run, whatever text found its way in here.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${await sha256(
    script,
  )}'`;
  const body = [
    `<h1>What concurrency gains</h1>`,
    `<p class="faint">${escape(describeEnvironment(report.environment))}. ${
      date.toISOString().slice(0, 10)
    }</p>`,
    `<p>${
      opening(report)
    }, which takes CPU time, and each ${words.result} is saved to PostgreSQL, which takes a round trip. The modes differ in what the program does while it waits. Each ran ${
      repeat === 1 ? "once" : `${repeat} times, taking turns; figures are medians`
    }.</p>`,
    ...headline(blocks, words),
    ...speed(report).map((line) => `<p>${escape(line)}.</p>`),
    `<h2>What saving costs</h2>`,
    `<p>Read it from left to right: the longer a request computes, the less there is to gain. At 1×, saving takes no extra time; the modes below 1× ${words.compute} on all cores. The vertical strokes reach from the fastest run to the slowest.</p>`,
    ...figures.slowdowns.map((one) => figure(one, { wide: true })),
    ...blocks.map((block) => tableOf(block, report)),
    ...comparison === undefined ? [] : [comparisonTable(comparison)],
    `<h2>Who waits for whom</h2>`,
    `<p>Each row is one request: first the CPU ${words.computes}, then the save is in flight. Where the bars of one colour leave no gap from row to row, that resource is never idle. ${
      capital(words.results)
    } that a worker computed together are drawn one after another, with equal shares of the time. Each picture has its own time scale and shows up to 60 requests of a typical run.</p>`,
    ...figures.blocks.map((block, i) => blockSection(block, report, i === 0)),
    `<h2>What was measured</h2>`,
    terms([
      ...modes.map(({ name, describe }) => [name, describe(words)]),
      ...measures(options.batchSize),
    ]),
    `<h2>Environment</h2>`,
    terms([
      ["Processor", `${report.environment.cores} cores of ${report.environment.cpu}`],
      ["Deno", report.environment.deno],
      [
        "PostgreSQL",
        `${report.environment.postgres}, ${
          report.environment.embedded ? "started by the benchmark on this machine" : "yours"
        }`,
      ],
      ...report.latencies.map(({ askedMs, gotMs, saveMs }) => [
        `Latency ${askedMs} ms`,
        `${
          askedMs === 0 ? "nothing added" : `${duration(gotMs)} added, as measured`
        }; a simple save took ${duration(saveMs)} while the machine was idle`,
      ]),
      [
        "Runs",
        `${repeat} of each mode, taking turns; rows compared with what was computed after each`,
      ],
      ["Pool", `${options.workers} workers`],
      ["Batches", `up to ${options.batchSize} rows`],
    ]),
    `<div id="tip" role="status"></div>`,
  ];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What concurrency gains</title>
<style>${style}</style>
</head>
<body>
${body.join("\n")}
<script>${script}</script>
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

function capital(word: string): string {
  return word[0].toUpperCase() + word.slice(1);
}

/** The result in a sentence for each block. */
function headline(blocks: readonly (readonly Result[])[], { computing }: Words): string[] {
  const items = blocks.flatMap((block) => {
    const best = block.find(({ recommended }) => recommended);
    if (best === undefined || best.speedup === null || best.mode === "serial") return [];
    const { mode, cost, latencyMs, speedup, overFloor } = best;
    const over = overFloor === null
      ? ""
      : `, and takes ${overFloor.toFixed(2)} times as long as the same ${computing} without saving`;
    return [
      `<li>At ${
        cost === null ? "" : `cost ${cost} and `
      }${latencyMs} ms of latency, <b>${mode}</b> is ${
        speedup.toFixed(1)
      } times as fast as waiting for every answer${over}.</li>`,
    ];
  });
  return items.length === 0 ? [] : [`<ul>${items.join("")}</ul>`];
}

function tableOf(block: readonly Result[], report: Report): string {
  const best = block.findIndex(({ recommended }) => recommended);
  const legend = best === -1 ? [] : [`* ${BEST}`];
  const notes = [...legend, ...remarks(block)];
  return `<h3>${escape(title(block, report))}</h3>
${table(HEAD, block.map(cellsOf), best)}
${notes.map((line) => `<p class="faint">${escape(line)}.</p>`).join("\n")}`;
}

function blockSection(
  { results, timelines, loopDelay }: BlockFigures,
  report: Report,
  open: boolean,
): string {
  const [{ latencyMs }] = results;
  const { saveMs } = latencyOf(report, latencyMs);
  const words = wordsOf(report.work);
  return `<details${open ? " open" : ""}><summary>${escape(title(results, report))}</summary>
<div class="grid">${
    timelines.map((one) => figure(one, { caption: explain(one, words, saveMs) })).join("\n")
  }</div>
<h3>How late the event loop is</h3>
<p>While the loop is late, no timer fires, no answer is received and no other request is served. A mode that ${words.computes} on this thread is always late by at least one ${words.result}; with the pool the thread stays free.</p>
${figure(loopDelay, { wide: true })}
</details>`;
}

/** What the bars of a mode mean, from its figures. */
function explain(
  { result, saves }: TimelineFigure,
  words: Words,
  saveMs: number,
): string {
  const { mode, sink, count, wallMs } = result;
  if (saves === undefined) return "Saves nothing: this is the floor.";
  if (sink === "file") {
    return `Appending a ${words.result} to a file takes ${
      duration(saves.p50)
    } (median): the operating system only buffers it.`;
  }
  const seen = `A save takes ${duration(saveMs)}, round trip and server together`;
  if (saves.true === 1) return `${seen}, and every bar is within 10% of that.`;
  const share = `${Math.floor(saves.true * 100)}% of the bars are within 10% of that`;
  const longer = `the bars here are ${duration(saves.p50)} long (median), up to ${
    duration(saves.max)
  }; ${share}`;
  if (mode === "batched") {
    return `${seen}; ${longer}. The INSERTs of a batch are sent together, and the server runs them one after another while nothing is ${words.computed}.`;
  }
  if (mode === "serial") return `${seen}; ${longer}. Nothing else happens meanwhile.`;
  if (result.onPool) {
    return `${seen}; ${longer}. The thread is free to receive the answer, but server and ${words.computing} compete for the same cores.`;
  }
  return `${seen}; ${longer}. The answer arrives in time, but the thread that should receive it is ${words.computing}: it listens only between two ${words.results}, every ${
    duration(wallMs.median / count)
  } or so.`;
}

function figure({ svg, name }: Figure, { caption = "", wide = false } = {}): string {
  return `<figure id="${name}"><div${wide ? ` class="wide"` : ""}>${svg}</div>${
    caption === "" ? "" : `<figcaption>${escape(caption)}</figcaption>`
  }</figure>`;
}

function comparisonTable(comparison: Comparison): string {
  const { file, unit, differences } = comparison;
  const [head, ...rows] = comparisonRows(comparison);
  return `<h2>Compared with an earlier run</h2>
<p>Wall time per ${unit}, compared with ${escape(file)}.${
    differences.map((text) => ` Different: ${escape(text)}.`).join("")
  }</p>
${table(head, rows)}`;
}

/** @param best The place of the row that stands out. */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  best?: number,
): string {
  const heads = head.map((text) => `<th>${escape(text)}</th>`).join("");
  const lines = rows.map((cells, i) =>
    `<tr${i === best ? ` class="best"` : ""}>${
      cells.map((cell) => `<td>${escape(cell)}</td>`).join("")
    }</tr>`
  );
  return `<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>${
    lines.join("")
  }</tbody></table></div>`;
}

function terms(rows: readonly (readonly string[])[]): string {
  return `<div class="scroll"><table class="words"><tbody>${
    rows.map(([name, text]) => `<tr><td>${escape(name)}</td><td>${escape(text)}</td></tr>`).join("")
  }</tbody></table></div>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64();
}
