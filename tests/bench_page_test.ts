import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { delayPoints, saveTimes, timelineBars } from "../scripts/bench/figures/data.ts";
import { colourStyle } from "../scripts/bench/figures/theme.ts";
import { MODES } from "../scripts/bench/modes.ts";
import type { Run } from "../scripts/bench/run.ts";
import { Timeline } from "../scripts/bench/timeline.ts";
import { DATABASE } from "./_database.ts";
import { type Need, needing } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { onDatabase } from "./_bench.ts";

/** A run of so many requests, hashed for 1 ms each in a row, and saved in batches after them. */
function makeRun(count: number, batchSize: number): Run {
  const timeline = new Timeline(count);
  for (let id = 0; id < count; id++) {
    timeline.noteCompute(id, id, id + 1);
    const sent = Math.min(count, (Math.floor(id / batchSize) + 1) * batchSize);
    timeline.noteSave(id, sent, sent + 10);
  }
  const loopDelay = { at: [10, 60], delays: [0, 45] };
  return { wallMs: 100, start: 0, cpuMs: 100, responseMs: [], loopDelay, timeline, results: [] };
}

Deno.test("timelineBars() shows sixty requests around the end of the first batch", () => {
  const bars = timelineBars(makeRun(600, 100), 100);
  assertEquals(bars.length, 120);
  assertEquals(bars[0], { request: 71, kind: "compute", from: 0, to: 1 });
  assertEquals(bars[1], { request: 71, kind: "save", from: 30, to: 40 });
  assertEquals(bars.at(-1)!.request, 130);
});

Deno.test("timelineBars() shows the whole of a short run, and no bar for what did not happen", () => {
  const run = makeRun(3, 1);
  run.timeline.saveStart.fill(NaN);
  assertEquals(timelineBars(run, 100).map(({ request, kind }) => [request, kind]), [
    [1, "compute"],
    [2, "compute"],
    [3, "compute"],
  ]);
});

Deno.test("saveTimes() counts the saves that are seen as long as they are", () => {
  const run = makeRun(4, 1);
  run.timeline.noteSave(3, 0, 30);
  assertEquals(saveTimes(run, 10), { count: 4, p50: 10, min: 10, max: 30, true: 0.75 });
  assertEquals(saveTimes(run, 9.5)!.true, 0.75);
  assertEquals(saveTimes(run, 8)!.true, 0);
});

Deno.test("delayPoints() has a delay in every part of the run that it lasted", () => {
  const points = delayPoints("async", makeRun(1, 1));
  const late = points.filter(({ delay }) => delay === 45).map(({ at }) => at);
  assertEquals([late.at(0), late.at(-1)], [0.15, 0.61]);
  assertEquals(points.find(({ delay }) => delay === 0)!.at, 0.11);
});

Deno.test("colourStyle() has a colour for every mode, in the light and in the dark", () => {
  const [light, dark] = colourStyle("svg").split("@media");
  for (const { name } of MODES) {
    for (const style of [light, dark]) assertStringIncludes(style, `--mode-${name}:#`);
  }
});

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const chromium = allowed ? BROWSERS.find(isFile) : undefined;
const CHROMIUM: Need = { name: "Chromium", met: chromium !== undefined };

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Opens a page in a browser without a network, and returns its document and what its console says. */
async function browse(html: string): Promise<{ dom: string; console: string[] }> {
  const folder = await Deno.makeTempDir();
  try {
    const page = join(folder, "page.html");
    await Deno.writeTextFile(page, html);
    const { stdout, stderr } = await new Deno.Command(chromium!, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        ...["--disable-background-networking", "--disable-component-update", "--dump-dom"],
        ...["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"],
        ...["--disable-dev-shm-usage", `--user-data-dir=${folder}/profile`],
        pathToFileURL(page).href,
      ],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    const lines = decoder.decode(stderr).split("\n").filter((line) => line.includes("CONSOLE"));
    return { dom: decoder.decode(stdout), console: lines };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A page with a table and figures, made once. */
let made: Promise<{ html: string; files: Map<string, string> }> | undefined;

async function makePage(): Promise<{ html: string; files: Map<string, string> }> {
  const folder = await Deno.makeTempDir();
  try {
    const page = join(folder, "page.html");
    const { code, stderr } = await onDatabase(
      ...["--count", "8", "--cost", "4,5", "--latency", "0,5", "--repeat", "2"],
      ...["--modes", "no-io,serial,async,pool", "--report", page, "--svg", join(folder, "svg")],
    );
    assertEquals([code, stderr], [0, ""]);

    const files = new Map<string, string>();
    for await (const { name } of Deno.readDir(join(folder, "svg"))) {
      files.set(name, await Deno.readTextFile(join(folder, "svg", name)));
    }
    return { html: await Deno.readTextFile(page), files };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function pageTest(name: string, fn: (html: string, files: Map<string, string>) => unknown): void {
  Deno.test({
    ...needing(`bench.ts --report ${name}`, DATABASE),
    async fn() {
      const { html, files } = await (made ??= makePage());
      await fn(html, files);
    },
  });
}

function browserTest(name: string, fn: (html: string) => Promise<void>): void {
  Deno.test({
    ...needing(`bench.ts --report ${name}`, DATABASE, CHROMIUM),
    async fn() {
      await fn((await (made ??= makePage())).html);
    },
  });
}

/** Marks of each figure. Two costs, two latencies, four modes of eight requests each. */
const MARKS: Record<string, number> = Object.fromEntries(
  ["0ms", "5ms"].flatMap((latency) => [
    [`slowdown-${latency}`, 2 * 3],
    ...["4", "5"].flatMap((cost) => [
      [`timeline-cost-${cost}-${latency}-no-io`, 8],
      ...["serial", "async", "pool"].map((mode) => [
        `timeline-cost-${cost}-${latency}-${mode}`,
        16,
      ]),
    ]),
  ]),
);

function countMarks(text: string): number {
  return text.split('<path class="mark"').length - 1;
}

pageTest("refers to nothing outside of itself", (html) => {
  assertEquals(html.match(/(src|href)=|@import|url\(|<link|<iframe|<img/g), null);
  // The one address is the name of a language.
  assertEquals([...new Set(html.match(/https?:\/\/[^"' ]+/g))], ["http://www.w3.org/2000/svg"]);
  assertStringIncludes(html, "default-src 'none'");
});

pageTest("has as many marks as there are values, with the value as title", (html) => {
  for (const [name, marks] of Object.entries(MARKS)) {
    const [figure] = html.split(`<figure id="${name}">`)[1].split("</figure>");
    assertEquals(countMarks(figure), marks, name);
    assertEquals(figure.split("</title></path>").length - 1, marks, name);
  }
});

pageTest("says why saves seem to take longer where the thread hashes", (html) => {
  const [caption] = html.split('<figure id="timeline-cost-5-5ms-async">')[1].split("</figure>");
  assert(
    /A save takes [\d.]+ ms, round trip and server together[,;]/.test(caption),
    caption.slice(-400),
  );
});

pageTest("has its figures as files of --svg, which stand alone", (_, files) => {
  const names = Object.keys(MARKS).map((name) => `${name}.svg`);
  const delays = ["0ms", "5ms"].flatMap((latency) =>
    ["4", "5"].map((cost) => `loop-delay-cost-${cost}-${latency}.svg`)
  );
  assertEquals([...files.keys()].sort(), [...names, ...delays].sort());
  for (const [name, svg] of files) {
    assert(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg" width='), name);
    assertStringIncludes(svg, "prefers-color-scheme:dark");
    assert(svg.length < 150_000, `${name}: ${svg.length} bytes`);
    for (const [, variable] of svg.matchAll(/var\(--([\w-]+)\)/g)) {
      assertStringIncludes(svg, `--${variable}:`);
    }
  }
});

/** Looks at the page from inside, and leaves what it finds in an attribute of the document. */
const PROBE = `
const marks = [...document.querySelectorAll(".mark")];
document.querySelectorAll("details").forEach((one) => one.open = true);
const of = (id) => document.getElementById(id).querySelectorAll(".mark").length;
const frame = document.createElement("iframe");
document.documentElement.dataset.found = JSON.stringify({
  figures: Object.fromEntries([...document.querySelectorAll("figure")].map(({ id }) => [id, of(id)])),
  invisible: marks.filter((mark) => {
    const { width, height } = mark.getBoundingClientRect();
    return !(width > 0 && height > 0);
  }).length,
  unnamed: marks.filter((mark) => !/\\d/.test(mark.getAttribute("aria-label"))).length,
  fill: getComputedStyle(document.querySelector("figure[id*=async] .mark")).fill,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  tip: (() => {
    const mark = document.querySelector(".mark");
    mark.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }));
    return document.getElementById("tip").textContent === mark.getAttribute("aria-label");
  })(),
});`;

interface Found {
  figures: Record<string, number>;
  invisible: number;
  unnamed: number;
  fill: string;
  overflow: number;
  tip: boolean;
}

/** The page with a script more, which its own policy would not let run. */
function withScript(html: string, script: string): string {
  return html.replace(/<meta http-equiv[^>]*>/, "")
    .replace("</body>", () => `<script>{${script}}</script></body>`);
}

function found(dom: string): Found {
  const [, text] = /data-found="([^"]*)"/.exec(dom)!;
  return JSON.parse(text.replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
}

browserTest("shows in a browser with no error, and runs its script", async (html) => {
  const { dom, console } = await browse(html);
  assertEquals(console, []);
  // The script turns titles into names, so it ran.
  assert(dom.includes('role="img"') && dom.includes("aria-label="));
  const broken = await browse(html.replace("const tip =", "const tip = nothing.there;"));
  assert(broken.console.length > 0, "an error would be seen");
});

browserTest(
  "draws every mark, in colour, with a value that shows under the pointer",
  async (html) => {
    const { dom } = await browse(withScript(html, PROBE));
    const { figures, invisible, unnamed, fill, tip } = found(dom);
    for (const [name, marks] of Object.entries(MARKS)) assertEquals(figures[name], marks, name);
    assertEquals([invisible, unnamed, tip], [0, 0, true]);
    assertEquals(fill, "rgb(52, 101, 201)", "the light colour of CPU");
  },
);

browserTest("fits a phone's width, its tables scroll by themselves", async (html) => {
  const inner = withScript(html, PROBE);
  const outer = `<!DOCTYPE html><body><script>
const frame = document.createElement("iframe");
frame.width = 390; frame.height = 800; frame.srcdoc = ${
    JSON.stringify(inner).replaceAll("<", "\\u003c")
  };
frame.onload = () => document.documentElement.dataset.found =
  frame.contentDocument.documentElement.dataset.found;
document.body.append(frame);
</script>`;
  const { dom } = await browse(outer);
  assertEquals(found(dom).overflow, 0);
});
