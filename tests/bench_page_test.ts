import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { roundTrips, strip, timelineBars } from "../scripts/bench/figures/data.ts";
import { drawFigures } from "../scripts/bench/figures/figures.ts";
import { MODES } from "../scripts/bench/modes.ts";
import { makePage } from "../scripts/bench/page/page.ts";
import { makeReport, type Report } from "../scripts/bench/report.ts";
import type { Run } from "../scripts/bench/run.ts";
import type { Measurement } from "../scripts/bench/runner.ts";
import { Timeline } from "../scripts/bench/timeline.ts";
import { passwordWork } from "../scripts/bench/password_work.ts";
import { DATABASE, databaseUrl } from "./_database.ts";
import { needing } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { Browser, CHROMIUM, type Look } from "./fixtures/browser.ts";
import { runHere } from "./fixtures/script_here.ts";

/** When the requests of a run were computed and saved, in milliseconds since it began. */
type Spans = readonly (readonly [from: number, to: number, sent?: number, answered?: number])[];

/** A run that began at 1000, so that nobody takes the clock for the time since then. */
function makeRun(wallMs: number, spans: Spans, delays = [1, 2]): Run {
  const start = 1000;
  const timeline = new Timeline(spans.length);
  for (const [id, [from, to, sent, answered]] of spans.entries()) {
    timeline.noteCompute(id, start + from, start + to);
    if (sent !== undefined) timeline.noteSave(id, start + sent, start + answered!);
  }
  const responseMs = spans.flatMap(([, , sent, end]) => sent === undefined ? [] : [end! - sent]);
  const loopDelay = { at: delays.map((_, i) => start + i), delays };
  return { wallMs, start, cpuMs: wallMs, responseMs, loopDelay, timeline, results: [] };
}

Deno.test("timelineBars() has a bar for what happened, since the run began", () => {
  const run = makeRun(50, [[0, 10, 10, 30], [30, 40]]);
  assertEquals(timelineBars("serial", run, 30), [
    { mode: "serial", request: 1, kind: "compute", from: 0, to: 10 },
    { mode: "serial", request: 2, kind: "compute", from: 30, to: 40 },
    { mode: "serial", request: 1, kind: "save", from: 10, to: 30 },
  ]);
});

Deno.test("timelineBars() shows the first requests: sixty, or a batch, but no more than a hundred", () => {
  const run = makeRun(1, Array.from({ length: 500 }, (_, i) => [i, i + 1] as const));
  const shown = [1, 80, 400].map((batchSize) => timelineBars("no-io", run, batchSize).length);
  assertEquals(shown, [60, 80, 100]);
});

Deno.test("roundTrips() shows the median save of each mode, and what was computed meanwhile", () => {
  const run = makeRun(90, [[0, 10, 10, 31], [10, 20, 20, 60], [20, 30, 30, 130], [400, 410]]);
  const { window, trips } = roundTrips([{ mode: "async", run }], 20);
  assertEquals(window, [-6, 48]);
  assertEquals(trips, [{ mode: "async", saveMs: 40, computed: [[-10, 0], [0, 10]] }]);
});

Deno.test("roundTrips() draws together what is too small to be seen", () => {
  const tiny = Array.from({ length: 1000 }, (_, i) => [i / 100, (i + 1) / 100] as const);
  const run = makeRun(90, [[0, 0, 0, 10], ...tiny]);
  const { trips: [{ computed }] } = roundTrips([{ mode: "async", run }], 10);
  assertEquals(computed, [[0, 10]]);
});

Deno.test("roundTrips() has none of a mode that saved nothing", () => {
  assertEquals(roundTrips([{ mode: "no-io", run: makeRun(1, [[0, 1]]) }], 10).trips, []);
});

Deno.test("strip() has the percentiles of some times, and nothing where there are none", () => {
  const times = Array.from({ length: 1000 }, (_, i) => i + 1);
  assertEquals(strip("pool", times), [{ mode: "pool", p50: 500, p90: 900, p99: 990, max: 1000 }]);
  assertEquals(strip("no-io", []), []);
});

/** Three requests in five modes, at cost 4 and 5. A save takes 20 ms; async sees 40. */
const RUNS: Readonly<Record<string, Run>> = {
  "no-io": makeRun(30, [[0, 10], [10, 20], [20, 30]]),
  serial: makeRun(120, [[0, 10, 10, 30], [40, 50, 50, 70], [80, 90, 90, 120]]),
  async: makeRun(70, [[0, 10, 10, 50], [10, 20, 20, 60], [20, 30, 30, 70]], [1, 8, 9]),
  "pool-no-io": makeRun(15, [[0, 10], [0, 10], [10, 15]]),
  pool: makeRun(40, [[0, 10, 16, 36], [0, 10, 16, 36], [10, 15, 16, 36]]),
};
const PLACE = "cost-4-10ms";

async function makeReportAndPage(): Promise<{ report: Report; html: string }> {
  const measurements = [4, 5].flatMap((cost) =>
    Object.entries(RUNS).map(([name, run]): Measurement => {
      const mode = MODES.find((mode) => mode.name === name)!;
      const rowsSaved = mode.sink === "none" ? 0 : 3;
      return { mode, cost, latencyMs: 10, count: 3, runs: [run], rowsSaved };
    })
  );
  const wires = [{ latencyMs: 10, addedMs: 10, saveMs: 20 }];
  const report = makeReport(
    {
      run: { command: "deno run <here>", commit: "0123abc", startedAt: "2026-01-02T03:04:05.678Z" },
      environment: { deno: "2", cpu: "x", cores: 2, postgres: "18", embedded: true },
    },
    { wires, measurements },
    {
      works: [passwordWork(["password"], { algorithm: "bcrypt", cost: 4 })],
      workers: 2,
      batchSize: 30,
    },
  );
  const figures = await drawFigures(report, measurements);
  return { report, html: await makePage(report, { figures, repeat: 1 }) };
}

/** Made once. */
let made: ReturnType<typeof makeReportAndPage> | undefined;

function pageTest(name: string, fn: (html: string, report: Report) => unknown): void {
  Deno.test({
    ...needing(`makePage() ${name}`),
    async fn() {
      const { html, report } = await (made ??= makeReportAndPage());
      await fn(html, report);
    },
  });
}

pageTest("refers to nothing outside of itself", (html) => {
  const links = html.match(/(?:src|href)="[^",]*|@import|url\(|<link|<iframe|<img/g);
  assertEquals(links, [`href="data:application/json;base64`]);
  // The one address is the name of a language.
  assertEquals([...new Set(html.match(/https?:\/\/[^"' ]+/g))], ["http://www.w3.org/2000/svg"]);
  assertStringIncludes(html, "default-src 'none'");
});

pageTest("has the report as JSON to download", (html, report) => {
  const [, data] = /download="[^"]*" href="data:application\/json;base64,([^"]*)"/.exec(html)!;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(data));
  assertEquals(JSON.parse(text), JSON.parse(JSON.stringify(report)));
});

pageTest("tells the command, the commit, the time and the machine", (html) => {
  const told = ["deno run &#60;here&#62;", "0123abc", "2026-01-02T03:04:05.678Z", "2 cores of x"];
  for (const text of told) assertStringIncludes(html, text);
});

pageTest("has one title for each mark", (html) => {
  const count = (text: string) => html.split(text).length - 1;
  assertGreater(count(`class="mark"`), 200);
  assertEquals(count("</title></"), count(`class="mark"`));
});

const browser = CHROMIUM.met ? await Browser.start() : undefined;
Deno.test.afterAll(() => browser?.[Symbol.asyncDispose]());

/** @param expression Evaluated in the page, with helpers of {@linkcode HELPERS}. */
type Evaluate = <T>(expression: string) => Promise<T>;

const HELPERS = `
const marks = (id) => [...document.querySelectorAll("#" + id + "-${PLACE} .wide .mark")];
const box = (mark) => { const { x, y, width } = mark.getBoundingClientRect(); return { x, y, width }; };
/** Marks by what is said of them. With a script, that is no longer in the page. */
const told = (id) => marks(id).map((mark) => ({ text: mark.textContent, ...box(mark) }));
`;

const PLAIN: Look = { script: false };

/** How the page was looked at last, where that has left it as it was. */
let shown: Look | undefined;

function browserTest(name: string, look: Look, fn: (evaluate: Evaluate) => Promise<void>): void {
  Deno.test({
    ...needing(`makePage() ${name}`, CHROMIUM),
    async fn() {
      const { html } = await (made ??= makeReportAndPage());
      browser!.console.length = 0;
      if (look !== shown) await browser!.open(html, look);
      shown = look === PLAIN ? look : undefined;
      await fn((expression) => browser!.evaluate(`(() => { ${HELPERS} return ${expression}; })()`));
      assertEquals(browser!.console, []);
    },
  });
}

interface Told {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** Figures are rounded to tenths of a pixel. */
function assertNear(actual: number, expected: number, what: string): void {
  assert(Math.abs(actual - expected) <= 0.2, `${what}: ${actual}, expected ${expected}`);
}

browserTest("draws wall times as bars on one scale", PLAIN, async (evaluate) => {
  const bars = await evaluate<Told[]>(`told("wall-time")`);
  assertEquals(bars.map(({ text }) => text.split(":")[0]), Object.keys(RUNS));
  const scale = bars[0].width / 30;
  for (const { text, x, width } of bars) {
    assertNear(width, RUNS[text.split(":")[0]].wallMs * scale, text);
    assertNear(x, bars[0].x, text);
  }
});

browserTest("draws all modes on one time axis, serial to its end", PLAIN, async (evaluate) => {
  const bars = await evaluate<Told[]>(`told("timeline")`);
  assertEquals(bars.length, 5 * 3 + 3 * 3);
  const zero = bars[0].x;
  const scale = (Math.max(...bars.map(({ x, width }) => x + width)) - zero) / 120;
  for (const { text, x, width } of bars) {
    const [, mode, number, kind] = /^(\S+), request (\d): (CPU|I\/O)/.exec(text)!;
    const { timeline, start } = RUNS[mode];
    const i = Number(number) - 1;
    const [from, to] = kind === "CPU"
      ? [timeline.computeStart[i], timeline.computeEnd[i]]
      : [timeline.saveStart[i], timeline.saveEnd[i]];
    assertNear(x - zero, (from - start) * scale, text);
    assertNear(width, (to - from) * scale, text);
  }
  const [right, plot] = await evaluate<number[]>(
    `[Math.max(...told("timeline").map(({ x, width }) => x + width)),
      document.querySelector("#timeline-${PLACE} .wide").getBoundingClientRect().right]`,
  );
  assert(plot - right < 30, "the longest mode reaches to the end of the picture");
  const zeros = await evaluate<number>(
    `[...document.querySelectorAll("#timeline-${PLACE} .wide text")]
      .filter(({ textContent }) => textContent === "0").length`,
  );
  assertEquals(zeros, 1, "axes");
});

browserTest("draws a save as async saw it beside the true one", PLAIN, async (evaluate) => {
  const bars = await evaluate<Told[]>(`told("round-trip")`);
  const widthOf = (text: string) => bars.find((bar) => bar.text === text)!.width;
  assertNear(widthOf("async: 40.0 ms as seen"), 2 * widthOf("async: 20.0 ms in truth"), "async");
  assertNear(widthOf("pool: 20.0 ms as seen"), widthOf("pool: 20.0 ms in truth"), "pool");
});

browserTest("draws percentiles on a logarithmic axis", PLAIN, async (evaluate) => {
  const bars = await evaluate<Told[]>(`told("response")`);
  const [serial] = bars.filter(({ text }) => text.startsWith("serial:") && text !== "");
  assertEquals(
    serial.text,
    "serial: median 20.0 ms, 90% within 30.0 ms, 99% within 30.0 ms, longest 30.0 ms",
  );
  const ticks = bars.slice(-3).map(({ x, width }) => x + width / 2);
  assertNear(ticks[2], ticks[0], "medians of pool and serial");
  // From 20 to 40 ms as far as the bar from 20 to 30, times log 2 / log 1.5.
  const bar = bars.filter(({ text }) => text.startsWith("serial:"))[2];
  assertNear(ticks[1] - ticks[0], bar.width * Math.log(2) / Math.log(1.5), "median of async");
});

browserTest("draws the slowdown beside the published one", PLAIN, async (evaluate) => {
  const texts = await evaluate<string[]>(
    `[...document.querySelectorAll("#slowdown-10ms .wide .mark")].map((mark) => mark.textContent)`,
  );
  assertEquals(texts.length, 3 * 4 + 2 * 4);
  assert(texts.includes("serial as published: 7.58× at 15.6 ms a hash"), texts.join("\n"));
  assert(texts.includes("serial: 4.00× at 10.0 ms a hash"), texts.join("\n"));
});

const ALTERNATIVES = `[...document.querySelectorAll("figure")].map((figure) => {
  figure.closest("details")?.setAttribute("open", "");
  const visible = [...figure.querySelectorAll("svg")].filter((svg) => svg.checkVisibility());
  return [figure.id, visible.map((svg) => svg.role + svg.getAttribute("aria-label"))];
})`;

browserTest("shows each figure once, with its figures in words", {}, async (evaluate) => {
  const figures = await evaluate<[string, string[]][]>(ALTERNATIVES);
  assertEquals(figures.length, 2 * 5 + 1);
  for (const [id, alternatives] of figures) {
    assertEquals(alternatives.length, 1, id);
    assert(/^img.*\d ms/.test(alternatives[0]), `${id}: ${alternatives[0]}`);
  }
});

for (const [name, look] of Object.entries({ "a screen": {}, "a phone": { width: 390 } })) {
  browserTest(`fits ${name}, without scrolling to the side`, look, async (evaluate) => {
    await evaluate(ALTERNATIVES);
    const wide = await evaluate<string[]>(
      `[document.documentElement, ...document.querySelectorAll("figure, .scroll")]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ tagName, id, className }) => tagName + id + className)`,
    );
    assertEquals(wide, []);
  });
}

for (
  const [name, look] of Object.entries<Look>({
    "in the light": {},
    "in the dark": { dark: true },
    "on a phone": { width: 390 },
  })
) {
  browserTest(`has no fault that axe-core finds, ${name}`, look, async (evaluate) => {
    const { default: axe } = await import("axe-core");
    await evaluate(ALTERNATIVES);
    // What is in a figure is no matter for it: the figure has its alternative as a whole.
    await evaluate(`document.querySelectorAll("svg").forEach((svg) => svg.replaceChildren())`);
    await browser!.evaluate(axe.source);
    const found = await browser!.evaluate<string[]>(
      `axe.run().then(({ violations, passes }) => violations.map(({ id, nodes }) =>
        id + ": " + nodes.map(({ html }) => html.slice(0, 200)).join(", ")
      ).concat(passes.length < 10 ? "nothing was checked" : []))`,
    );
    assertEquals(found, []);
  });
}

browserTest("has the same request stand out in all modes", {}, async (evaluate) => {
  const picked = await evaluate<number[]>(`(() => {
    const bars = marks("timeline");
    const same = () => marks("timeline").flatMap((bar, i) => bar.matches(".same") ? [i] : []);
    bars[1].dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    const over = same();
    document.querySelector("figure").dispatchEvent(new PointerEvent("pointerleave"));
    return over;
  })()`);
  // The second request of five modes, and its save in three.
  assertEquals(picked.length, 5 + 3);
});

browserTest("has a slider that picks a request, and tells it", {}, async (evaluate) => {
  const told = await evaluate<string>(`(() => {
    const slider = document.querySelector("input[type=range]");
    slider.value = 3;
    slider.dispatchEvent(new Event("input"));
    return document.querySelector("output").value;
  })()`);
  assertEquals(told.split("; ").length, 5 + 3);
  assertStringIncludes(told, "3: no-io: CPU 10.0 ms; serial: CPU 10.0 ms; serial: I/O 30.0 ms;");
});

browserTest("shows the value of a mark under the pointer", {}, async (evaluate) => {
  const tip = await evaluate<string>(`(() => {
    const [, bar] = marks("wall-time");
    bar.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }));
    return document.getElementById("tip").textContent;
  })()`);
  assertEquals(tip, "serial: 120 ms (120 – 120 ms)");
});

browserTest("sorts its table by a column, both ways", {}, async (evaluate) => {
  const sorted = await evaluate<unknown[]>(`(() => {
    const heads = [...document.querySelectorAll("thead th")];
    const wall = heads.find(({ textContent }) => textContent === "wall time");
    const rows = () => [...wall.closest("table").tBodies[0].rows].map(({ cells }) =>
      cells[0].textContent.replace("*", "").trim());
    const [first, second] = [0, 1].map(() => {
      wall.querySelector("button").click();
      return [wall.ariaSort, rows()];
    });
    return [first, second];
  })()`);
  const up = ["pool-no-io", "no-io", "pool", "async", "serial"];
  assertEquals(sorted, [["ascending", up], ["descending", up.toReversed()]]);
});

browserTest("prints what is folded up on the screen", { print: true }, async (evaluate) => {
  const heights = await evaluate<number[]>(
    `[...document.querySelectorAll("details")].map((one) => one.getBoundingClientRect().height)`,
  );
  assertEquals(heights.length, 2);
  assertNear(heights[0], heights[1], "the second block, which is folded up");
});

Deno.test({
  ...needing("Browser tells an error of a page", CHROMIUM),
  async fn() {
    shown = undefined;
    await browser!.open("<script>nothing.there();</script>");
    assertStringIncludes(browser!.console.join(), "nothing is not defined");
  },
});

Deno.test({
  ...needing("bench.ts --report --svg writes the page, and figures that stand alone", DATABASE),
  ignore: !allowed || !DATABASE.met,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const page = join(folder, "page.html");
      const { code } = await runHere("bench.ts", [
        ...["--database-url", databaseUrl(), "--count", "4", "--cost", "4", "--latency", "0"],
        ...["--modes", "no-io,serial,pool", "--repeat", "1", "--report", page, "--svg", folder],
      ]);
      assertEquals(code, 0);
      const html = await Deno.readTextFile(page);
      assertStringIncludes(html, "deno run -A scripts/bench.ts --database-url URL --count 4");
      assert(!html.includes(databaseUrl()));
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
      const kinds = ["loop-delay", "response", "round-trip", "timeline", "wall-time"];
      const figures = kinds.map((kind) => `${kind}-cost-4-0ms.svg`);
      assertEquals(names, [...figures, "slowdown-0ms.svg", "page.html"].sort());
      for (const name of names.filter((name) => name.endsWith(".svg"))) {
        const svg = await Deno.readTextFile(join(folder, name));
        assert(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg" width='), name);
        assertStringIncludes(svg, "prefers-color-scheme:dark");
        for (const [, variable] of svg.matchAll(/var\(--([\w-]+)\)/g)) {
          assertStringIncludes(svg, `--${variable}:`);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
