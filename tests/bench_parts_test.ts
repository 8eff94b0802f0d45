import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { stripVTControlCharacters } from "node:util";
import { advise } from "../scripts/bench/advice.ts";
import { compare, formatComparison } from "../scripts/bench/compare.ts";
import { MODES, type Saved } from "../scripts/bench/modes.ts";
import { ALGORITHM_FLAGS, WORKLOADS } from "../scripts/bench/algorithm_flags.ts";
import { FLAGS } from "../scripts/bench/flags.ts";
import { commandOf } from "../scripts/bench/origin.ts";
import { makePlan } from "../scripts/bench/plan.ts";
import { closeCalls, makeReport, type Report, type Result } from "../scripts/bench/report.ts";
import type { Run } from "../scripts/bench/run.ts";
import type { Measurement } from "../scripts/bench/runner.ts";
import {
  median,
  nearestToMedian,
  overlap,
  quantile,
  summarize,
} from "../scripts/measure/statistics.ts";
import { passwordWork } from "../scripts/bench/password_work.ts";
import { duration } from "../scripts/bench/format.ts";
import { BEST, formatReport } from "../scripts/bench/table.ts";
import { Timeline } from "../scripts/bench/timeline.ts";
import { verifyRun } from "../scripts/bench/verify.ts";
import { PoolClock } from "../scripts/bench/pool_clock.ts";
import { savableText } from "../scripts/bench/savable.ts";
import type { OpenWork } from "../scripts/bench/work.ts";
import { ScriptError } from "../scripts/cli/run.ts";
import { parseFlags } from "../scripts/cli/parse_flags.ts";
import type { Screen } from "../scripts/cli/screen.ts";
import { allowed } from "./_permissions.ts";
import { rejection } from "./_helpers.ts";
import { type Parameter, type ParameterName, parametersOf } from "../workload.ts";

Deno.test("median() is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 10, 2]), 3);
  assertEquals(median([5]), 5);
});

Deno.test("quantile() is the value below which that share lies", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assertEquals([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)], [50, 99, 100]);
  assertEquals([quantile([7], 0.5), quantile([7], 0.99), quantile([], 0.5)], [7, 7, undefined]);
});

Deno.test("nearestToMedian() is the place of a value, also where the median is none of them", () => {
  assertEquals(nearestToMedian([30, 10, 20]), 2);
  assertEquals(nearestToMedian([1, 2, 4, 100]), 1);
});

Deno.test("overlap() holds where one range reaches into the other, and never for single runs", () => {
  const [low, high, both] = [[1, 2], [3, 4], [2, 3]].map(summarize);
  assertEquals([overlap(low, high), overlap(high, low)], [false, false]);
  assertEquals([overlap(low, both), overlap(both, high)], [true, true]);
  assertEquals(overlap(summarize([2]), low), false);
});

Deno.test("duration() has three digits and a unit", () => {
  assertEquals(
    [0.1234, 9.996, 12.34, 99.96, 999.6, 12_345, 123_456].map(duration),
    ["0.12 ms", "10.0 ms", "12.3 ms", "100 ms", "1.00 s", "12.3 s", "123 s"],
  );
});

const BCRYPT = passwordWork(["password"], { algorithm: "bcrypt", cost: 4 });

function makeResult(mode: string, samples: number[], more: Partial<Result> = {}): Result {
  const { sink, onPool } = MODES.find(({ name }) => name === mode)!;
  return {
    mode,
    sink,
    onPool,
    cost: 4,
    latencyMs: 0,
    count: 10,
    wallMs: summarize(samples),
    slowdown: null,
    overFloor: null,
    speedup: null,
    rowsSaved: sink === "none" ? 0 : 10,
    rowsPerSecond: null,
    responseMs: sink === "none" ? null : { p50: 1, p99: 1, max: 1 },
    loopDelayMs: { p99: 5, max: 5 },
    cpuUse: 0.5,
    recommended: false,
    ...more,
  };
}

function makeFakeReport(results: Result[], saveMs = 1, latencyMs = 0): Report {
  const environment = { deno: "2", cpu: "x", cores: 1, postgres: "18", embedded: true };
  const latencies = [{ askedMs: latencyMs, gotMs: latencyMs, saveMs }];
  return {
    version: 1,
    run: { command: "deno run -A scripts/bench.ts", commit: null, startedAt: "2026-01-01" },
    environment,
    work: BCRYPT.subject,
    settings: { engine: "auto", workers: 1, batchSize: 30 },
    latencies,
    results: results.map((result) => ({ ...result, latencyMs })),
  };
}

function formatted(
  results: Result[],
  saveMs?: number,
  latencyMs?: number,
  screen: Screen = { columns: 1_000, colours: false },
): string {
  const modes = MODES.filter(({ name }) => results.some(({ mode }) => mode === name));
  const options = { modes, repeat: 3, batchSize: 100, screen };
  return formatReport(makeFakeReport(results, saveMs, latencyMs), options);
}

/** The widest figures that there may be, in every mode. */
const WIDEST = MODES.map(({ name }) =>
  makeResult(name, [99.949, 99.949], {
    slowdown: 10.55,
    speedup: 12.34,
    rowsPerSecond: 12_345,
    responseMs: { p50: 99.9, p99: 99.9, max: 9999 },
    loopDelayMs: { p99: 99.9, max: 999 },
    cpuUse: 1,
  })
);

Deno.test("formatReport() fits a terminal of 80 columns, and leaves out only the range there", () => {
  const text = formatted(WIDEST, 101, 100, { columns: 80, colours: false });
  for (const line of text.split("\n")) assert(line.length <= 80, `${line.length}: ${line}`);
  const head = text.split("\n").find((line) => line.includes("  mode"))!;
  assertEquals(head.trim().split(/ +/), "mode time down up /s p50 p99 delay use".split(" "));
  assert(!text.includes("min – max"));
});

Deno.test("formatReport() shows more on a wide screen, and less on a narrow one", () => {
  assertStringIncludes(formatted(WIDEST, 1, 0, { columns: 120, colours: false }), "(min – max)");
  const narrow = formatted(WIDEST, 1, 0, { columns: 60, colours: false });
  for (const line of narrow.split("\n")) assert(line.length <= 60, `${line.length}: ${line}`);
  assertMatch(narrow, /^ {2}mode +time +down +up +\/s +p50/m);
});

Deno.test("formatReport() has a bar behind each wall time where there is room", () => {
  const results = [["serial", 100], ["burst", 50], ["pool", 1]] as const;
  const shown = (columns: number) =>
    formatted(results.map(([mode, ms]) => makeResult(mode, [ms])), 1, 0, {
      columns,
      colours: false,
    })
      .split("\n").filter((line) => /^ {2}(serial|burst|pool) +[\d.]+ ms/.test(line))
      .map((line) => /[█-▏]+/.exec(line)?.[0].length);
  assertEquals(shown(100), [12, 6, 1]);
  assertEquals(shown(60), [undefined, undefined, undefined]);
});

Deno.test("formatReport() is the same in colours", () => {
  const results = [makeResult("serial", [9]), makeResult("pool", [5], { recommended: true })];
  const plain = formatted(results, 1, 0, { columns: 80, colours: false });
  const coloured = formatted(results, 1, 0, { columns: 80, colours: true });
  assert(!plain.includes("\x1b"));
  assertStringIncludes(coloured, "\x1b[32m* pool ");
  assertEquals(stripVTControlCharacters(coloured), plain);
});

Deno.test("formatReport() marks the recommended mode", () => {
  const table = formatted([
    makeResult("burst", [9]),
    makeResult("pool", [5], { recommended: true }),
  ]);
  assertStringIncludes(table, "\n* pool ");
  assertStringIncludes(table, "\n  burst ");
  assertStringIncludes(table, `  *           ${BEST}`);
  assert(!formatted([makeResult("burst", [9])]).includes(BEST));
});

Deno.test("formatReport() names modes that cannot be told apart, in the order of their medians", () => {
  const results = [
    makeResult("file", [10, 11]),
    makeResult("serial", [50, 60]),
    makeResult("batched", [14, 16]),
    makeResult("async", [10, 15]),
    makeResult("pool", [5, 6]),
  ];
  assertEquals(closeCalls(results), [["async", "batched"]]);
  assertStringIncludes(formatted(results), "as their runs overlap: async ~ batched\n");
  assert(!formatted(results.slice(3)).includes("overlap"));
});

Deno.test("formatReport() says that the machine is noisy where a floor varies", () => {
  assertStringIncludes(
    formatted([makeResult("no-io", [100, 130])]),
    "This machine is noisy: runs of no-io differ by 30%",
  );
  assert(!formatted([makeResult("no-io", [100, 105])]).includes("noisy"));
  assert(!formatted([makeResult("pool", [100, 130])]).includes("noisy"));
});

Deno.test("formatReport() says that a database is slow, and why", () => {
  const slow = (saveMs: number, latencyMs: number) =>
    formatted([makeResult("serial", [1])], saveMs, latencyMs).split("is not included")[1].trim()
      .replaceAll("\n", " ");
  assertEquals(slow(10, 0), "");
  assertEquals(
    slow(12, 0),
    "This database is slow: a simple save takes 12.0 ms with no latency added, and anything over 10 ms is slow",
  );
  assertEquals(
    slow(101, 100),
    "A simple save takes 101 ms, of which 100 ms is added latency",
  );
});

Deno.test("formatReport() says where a database only seems to be slow", () => {
  const late = { responseMs: { p50: 40, p99: 60, max: 60 }, loopDelayMs: { p99: 50, max: 50 } };
  const sentence = "Saves only look slow in async: the answers were there";
  assertStringIncludes(formatted([makeResult("async", [1], late)]), sentence);
  assert(!formatted([makeResult("pool", [1], late)]).includes("only look"));
});

function measurement(name: string, walls: number[], more: Partial<Run> = {}): Measurement {
  const mode = MODES.find((mode) => mode.name === name)!;
  const loopDelay = { at: [1], delays: [2] };
  const runs = walls.map((wallMs): Run => ({
    wallMs,
    start: 0,
    cpuMs: wallMs,
    responseMs: [],
    loopDelay,
    timeline: new Timeline(1),
    results: [],
    ...more,
  }));
  return { mode, cost: 4, latencyMs: 0, count: 10, runs, rowsSaved: mode.sink === "none" ? 0 : 10 };
}

function report(...measurements: Measurement[]): readonly Result[] {
  return makeReport(makeFakeReport([]), { wires: [], measurements }, {
    works: [BCRYPT],
    workers: 1,
    batchSize: 30,
  })
    .results;
}

Deno.test("advise() tells in a sentence what to do, and what it gains", () => {
  const best = { recommended: true, speedup: 9.94, overFloor: 1.1 };
  const one = makeFakeReport([makeResult("serial", [9]), makeResult("pool", [5], best)]);
  assertEquals(advise(one), [
    "On this machine, hash on all cores, save in bursts meanwhile (pool): 9.9 times as fast as serial, 1.10 times as long as hashing without saving",
  ]);
  const [burst] = advise(makeFakeReport([
    makeResult("burst", [5], best),
    makeResult("burst", [5], { ...best, cost: 5, speedup: 2, overFloor: null }),
  ]));
  assertStringIncludes(burst, "(burst): 2.0 to 9.9 times as fast as serial, 1.10 times as long");
});

Deno.test("advise() tells where to do what, if that depends on cost or latency", () => {
  const serial = makeResult("serial", [5], { recommended: true, cost: 12 });
  const pool = makeResult("pool", [5], { recommended: true, cost: 4 });
  assertEquals(advise(makeFakeReport([serial, pool])), [
    "On this machine, at cost 12 and 0 ms, hash, save, wait for the answer, repeat (serial)",
    "On this machine, at cost 4 and 0 ms, hash on all cores, save in bursts meanwhile (pool)",
  ]);
});

Deno.test("advise() asks for more where nothing can be compared", () => {
  const [text] = advise(makeFakeReport([makeResult("pool", [5])]));
  assertStringIncludes(text, "two or more modes");
});

Deno.test("commandOf() repeats the command line, quoted, without the database's address", () => {
  const url = "postgres://me:secret@there/db";
  for (const args of [["--database-url", url], [`--database-url=${url}`]]) {
    const command = commandOf([...args, "--input", "it's mine.txt", "--cost=4,5"]);
    assertMatch(command, /^deno run -A scripts\/bench\.ts --database-url[ =]URL /);
    assertStringIncludes(command, `--input 'it'\\''s mine.txt' --cost=4,5`);
    assert(!command.includes("secret"));
  }
});

Deno.test("makeReport() sets every mode beside its floor, and beside serial", () => {
  const results = report(
    measurement("no-io", [100, 90, 130]),
    measurement("serial", [500]),
    measurement("pool-no-io", [50]),
    measurement("pool", [60]),
  );
  assertEquals(results.map(({ slowdown }) => slowdown), [1, 5, 0.5, 0.6]);
  assertEquals(results.map(({ overFloor }) => overFloor), [1, 5, 1, 1.2]);
  assertEquals(results.map(({ speedup }) => speedup), [5, 1, 10, 500 / 60]);
  assertEquals(results[3].rowsPerSecond, 10 / 60 * 1000);
  assertEquals(results[0].cpuUse, 1);
});

Deno.test("makeReport() recommends the fastest that saves to the database", () => {
  const best = (...measurements: Measurement[]) =>
    report(...measurements).filter(({ recommended }) => recommended).map(({ mode }) => mode);
  const [none, file, serial] = [["no-io", 1], ["file", 2], ["serial", 90]].map(([name, wall]) =>
    measurement(name as string, [wall as number])
  );
  assertEquals(best(none, file, serial, measurement("burst", [30]), measurement("pool", [40])), [
    "burst",
  ]);
  const [async, pool] = [measurement("async", [30, 31]), measurement("pool", [31, 32])];
  assertEquals(best(async, pool), ["pool"], "they cannot be told apart");
  assertEquals(best(none, serial), [], "there is no choice");
});

Deno.test("compare() sets the time of a hash beside that of an earlier run", () => {
  const before = makeFakeReport([
    makeResult("no-io", [100, 110]),
    makeResult("async", [200, 220]),
    makeResult("burst", [200, 210]),
  ]);
  const now = makeFakeReport([
    makeResult("async", [201, 219]),
    makeResult("burst", [200, 204], { count: 20 }),
    makeResult("pool", [10]),
  ]);
  const comparison = compare(now, before, "old.json");
  assertEquals(
    comparison.results.map(({ mode, beforeMs, nowMs, ratio, clear }) => [
      mode,
      beforeMs,
      nowMs,
      ratio,
      clear,
    ]),
    [["async", 21, 21, 1, false], ["burst", 20.5, 10.1, 10.1 / 20.5, true]],
  );
  const text = formatComparison(comparison);
  assertStringIncludes(text, "  async     4     0 ms  21.0 ms  21.0 ms  1.00×  within the noise");
  assertStringIncludes(text, "  burst     4     0 ms  20.5 ms  10.1 ms  0.49×  faster");
});

Deno.test("compare() says what was different, and where there is nothing to compare", () => {
  const before = makeFakeReport([makeResult("no-io", [100])]);
  const cores = { ...before, environment: { ...before.environment, cores: 8 } };
  const engine = { ...before, settings: { ...before.settings, engine: "bcryptjs" } as const };
  for (
    const [earlier, difference] of [
      [cores, "cores 8 then, 1 now"],
      [engine, "engine bcryptjs then, auto now"],
    ] as const
  ) {
    const text = formatComparison(compare(before, earlier, "old.json"));
    assertStringIncludes(text, `Different: ${difference}`);
  }
  // What older versions have printed does not tell.
  const { settings: _, ...older } = before;
  assertEquals(compare(before, older, "old.json").differences, []);
  const other = makeFakeReport([makeResult("no-io", [100])], 1, 10);
  assertEquals(
    formatComparison(compare(other, before, "old.json")),
    "Nothing to compare: 'old.json' has no mode at a cost and latency of this run",
  );
});

function plan(...args: string[]) {
  return makePlan(parseFlags(["--database-url", "postgres://x", ...args], FLAGS));
}

async function sizes(...args: string[]): Promise<number[][]> {
  const { works } = await plan(...args);
  return works.map(({ cost, count }) => [cost!, count]);
}

Deno.test({
  name: "makePlan() repeats the original experiment with --preset book",
  ignore: !allowed,
  async fn() {
    assertEquals(await sizes("--preset", "book"), [[8, 600], [10, 400], [11, 400], [12, 400]]);
    const { latencies, modes, batchSize } = await plan("--preset", "book");
    assertEquals([latencies, modes, batchSize], [[100], MODES, 100]);
  },
});

Deno.test({
  name: "makePlan() puts what flags say over the preset",
  ignore: !allowed,
  async fn() {
    assertEquals(await sizes("--preset", "book", "--cost", "8,12"), [[8, 600], [12, 400]]);
    assertEquals(await sizes("--preset", "book", "--count", "5", "--cost", "8,9"), [[8, 5], [
      9,
      5,
    ]]);
    assertEquals((await plan("--preset", "book", "--latency", "0,1")).latencies, [0, 1]);
    assertEquals((await plan("--latency", "10,10,5")).latencies, [10, 5]);
  },
});

Deno.test({
  name: "makePlan() adds no latency to a database that was named, unless asked to",
  ignore: !allowed,
  async fn() {
    assertEquals((await plan()).latencies, [0]);
    const before = Deno.env.get("DATABASE_URL");
    Deno.env.delete("DATABASE_URL");
    try {
      assertEquals((await makePlan(parseFlags([], FLAGS))).latencies, [10]);
    } finally {
      if (before !== undefined) Deno.env.set("DATABASE_URL", before);
    }
  },
});

Deno.test("verifyRun() refuses rows that are lost, doubled, changed, or wrong", async () => {
  const [mode] = MODES;
  const results = ["one", "two words"];
  const rows = results.map((result, id) => ({ id, result }));
  const right = { findWrong: () => Promise.resolve(undefined) };
  const wrong = { findWrong: () => Promise.resolve("row 1 is wrong") };
  const verify = (rows: Saved[], work: Pick<OpenWork, "findWrong"> = right) =>
    verifyRun(mode, rows, { count: 2, results, work });
  assertEquals(await verify(rows), 2);
  const refused: [Saved[], string][] = [
    [[rows[0]], "it saved 1 rows, 1 of them different, for 2 items"],
    [[rows[0], rows[0]], "it saved 2 rows, 1 of them different, for 2 items"],
    [
      [rows[0], { id: 2, result: "two words" }],
      "it saved 2 rows, 2 of them different, for 2 items",
    ],
    [[rows[0], { id: 1, result: "two" }], "row 1 does not hold what was computed"],
  ];
  for (const [saved, why] of refused) {
    const error = await rejection(verify(saved)) as Error;
    assertEquals(error.message, `Cannot trust the mode 'no-io' as ${why}`);
  }
  const error = await rejection(verify(rows, wrong)) as Error;
  assertEquals(error.message, "Cannot trust the mode 'no-io' as row 1 is wrong");
});

Deno.test({
  name: "passwordWork() finds what is not the hash of its password",
  ignore: !allowed,
  async fn() {
    const work = passwordWork(["one", "two"], { algorithm: "bcrypt", cost: 4 });
    await using open = await work.open({ workers: 1, onPool: false });
    const hashes = [await open.compute(0), await open.compute(1)];
    assertEquals(await open.findWrong(hashes), undefined);
    for (const wrong of [hashes[0], "not a hash"]) {
      assertEquals(
        await open.findWrong([hashes[0], wrong]),
        "row 1 does not hold the hash of its password",
      );
    }
  },
});

Deno.test("savableText() keeps what JSON would lose, or refuses it", () => {
  const text = (result: unknown) => savableText(result, "item 3");
  assertEquals(
    text({ a: [null, "\0 \n"], big: 2n ** 64n, bytes: new Uint8Array([1, 2]) }),
    '{"a":[null,"\\u0000 \\n"],"big":"18446744073709551616","bytes":"AQI="}',
  );
  assertEquals(text(new Float32Array([0.5, 1])), "[0.5,1]");
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const refused: [unknown, string][] = [
    [undefined, "it is undefined"],
    [{ score: NaN }, "it has NaN in it"],
    [[new Map()], "it has a Map or a Set in it"],
    [new ArrayBuffer(1), "it has an ArrayBuffer in it"],
    [{ f() {} }, "it has a function in it"],
    [circular, "Converting circular structure to JSON"],
  ];
  for (const [result, why] of refused) {
    const { message } = assertThrows(() => text(result), ScriptError);
    assertEquals(message, `Cannot save the result of item 3 as ${why}`);
  }
});

Deno.test("PoolClock.take() gives the times of equal results one after the other", () => {
  const clock = new PoolClock();
  for (const start of [1, 2]) clock.onComputed({ result: 7, worker: 0, start, end: start + 1 });
  assertEquals([clock.take(7), clock.take(7), clock.take(7)], [[1, 2], [2, 3], undefined]);
});

Deno.test("ALGORITHM_FLAGS tell the parameters of every algorithm", () => {
  const names = Object.entries(WORKLOADS);
  const told = (name: ParameterName, tell: (workload: string, parameter: Parameter) => string) =>
    names.flatMap(([workload, algorithm]) => {
      const parameter = parametersOf(algorithm)[name];
      return parameter === undefined ? [] : [tell(workload, parameter)];
    });
  const ranges = told("cost", (workload, { min, max }) => `${min} to ${max} with ${workload}`);
  assertEquals(
    ALGORITHM_FLAGS.cost.help,
    `CPU costs: ${ranges.join(", ")}; with bcrypt and scrypt each step doubles the time`,
  );
  for (const name of ["memory", "parallelism"] as const) {
    const sentences = told(
      name,
      (workload, { description, default: initial }) =>
        `with ${workload}, ${description} (default:\u00a0${initial})`,
    );
    assertEquals(ALGORITHM_FLAGS[name].help, sentences.join("; "));
  }
});
