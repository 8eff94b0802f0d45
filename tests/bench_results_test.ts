import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Report, Result } from "../scripts/bench/report.ts";
import { onDatabase, tables, test, withFile } from "./_bench.ts";

test("prints one JSON object with every mode", async () => {
  const before = await tables();
  const { code, stdout, stderr } = await onDatabase(
    ...["--json", "--count", "40", "--cost", "4", "--repeat", "2"],
    ...["--workers", "2"],
  );
  assertEquals([code, stderr], [0, ""]);
  const { version, run, environment, settings, latencies, results } = JSON.parse(stdout);
  assertEquals(version, 1);
  assertMatch(run.command, /^deno run -A scripts\/bench\.ts --database-url URL /);
  assertMatch(run.startedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assertEquals(Object.keys(environment), ["deno", "cpu", "cores", "postgres", "embedded"]);
  assertEquals([environment.deno, environment.embedded], [Deno.version.deno, false]);
  assertEquals(settings, { engine: "auto", workers: 2, batchSize: 30 });
  assertEquals(
    results.map(({ mode, sink, rowsSaved }: Result) => [mode, sink, rowsSaved]),
    [
      ["no-io", "none", 0],
      ["file", "file", 40],
      ["serial", "database", 40],
      ["batched", "database", 40],
      ["async", "database", 40],
      ["burst", "database", 40],
      ["pool-no-io", "none", 0],
      ["pool", "database", 40],
    ],
  );
  for (const result of results) {
    const { mode, cost, latencyMs, count, wallMs, slowdown, responseMs, loopDelayMs } = result;
    assertEquals([cost, latencyMs, count, wallMs.samples.length], [4, 0, 40, 2]);
    assert(wallMs.min > 0 && wallMs.min <= wallMs.median && wallMs.median <= wallMs.max);
    assertEquals(slowdown, wallMs.median / results[0].wallMs.median);
    assertEquals(result.speedup, results[2].wallMs.median / wallMs.median);
    const floor = results[mode.startsWith("pool") ? 6 : 0].wallMs.median;
    assertEquals(result.overFloor, wallMs.median / floor);
    assertEquals(
      result.rowsPerSecond,
      mode.endsWith("no-io") ? null : 40 / wallMs.median * 1000,
    );
    assert(result.cpuUse > 0);
    if (mode.endsWith("no-io")) assertEquals(responseMs, null);
    else {assert(
        responseMs.p50 > 0 && responseMs.p50 <= responseMs.p99 && responseMs.p99 <= responseMs.max,
      );}
    assert(loopDelayMs.p99 >= 0 && loopDelayMs.p99 <= loopDelayMs.max);
  }
  assertEquals(latencies.length, 1);
  assertEquals([latencies[0].askedMs, latencies[0].gotMs], [0, 0], "a given database is as it is");
  assert(latencies[0].saveMs > 0);
  assertEquals(results.filter(({ recommended }: Result) => recommended).length, 1);
  assertEquals(await tables(), before, "the benchmark's table is gone");
});

test("prints a table without --json, and no progress bar into a pipe", async () => {
  const { code, stdout, stderr } = await onDatabase(
    ...["--count", "3", "--cost", "4,5", "--repeat", "1"],
  );
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Each mode hashes and saves the same passwords once");
  assertStringIncludes(stdout, "bcrypt cost 4: 3 hashes of ");
  assertStringIncludes(stdout, "bcrypt cost 5: 3 hashes of ");
  for (
    const mode of ["no-io", "file", "serial", "batched", "async", "burst", "pool-no-io", "pool"]
  ) {
    assertMatch(stdout, new RegExp(`^[ *] ${mode} +[\\d.]+ m?s `, "m"));
  }
});

test("hashes as many passwords at each cost as --count says", async () => {
  const options = ["--json", "--modes", "burst", "--repeat", "1", "--cost", "5,4"];
  const { stdout } = await onDatabase(...options, "--count", "3,7");
  assertEquals(
    JSON.parse(stdout).results.map(({ cost, rowsSaved }: Result) => [cost, rowsSaved]),
    [[5, 3], [4, 7]],
  );
});

test("adds the round-trip times of --latency, and tells what it added", async () => {
  const { code, stdout, stderr } = await onDatabase(
    ...["--json", "--count", "4", "--cost", "4", "--repeat", "1"],
    ...["--modes", "no-io,serial,pool", "--latency", "0,2.5,30"],
  );
  assertEquals([code, stderr], [0, ""]);
  const { latencies, results } = JSON.parse(stdout) as Report;
  assertEquals(latencies.map(({ askedMs }) => askedMs), [0, 2.5, 30]);
  for (const { askedMs, gotMs, saveMs } of latencies) {
    // What a proxy holds back takes at least as long. Which of two measurements is longer is chance
    assert(saveMs >= askedMs && gotMs >= 0, `${askedMs}`);
  }
  assert(latencies[2].gotMs > 0);
  assertEquals(
    results.map(({ mode, latencyMs, rowsSaved }) => [latencyMs, mode, rowsSaved]),
    [0, 2.5, 30].flatMap((ms) => [[ms, "no-io", 0], [ms, "serial", 4], [ms, "pool", 4]]),
  );
  // Whoever waits for every answer, waits for every round trip.
  for (const { mode, latencyMs, responseMs } of results) {
    if (mode !== "no-io") assert(responseMs!.p50 >= latencyMs, `${mode} ${latencyMs}`);
  }
});

test("sets a run beside an earlier one with --compare", async () => {
  const options = ["--count", "3", "--cost", "4", "--repeat", "1", "--modes", "no-io,serial"];
  const { stdout } = await onDatabase(...options, "--json");
  await withFile(stdout, async (path) => {
    const table = await onDatabase(...options, "--compare", path);
    assertEquals([table.code, table.stderr], [0, ""]);
    assertMatch(
      table.stdout,
      /\n {2}serial +4 +0 ms +[\d.]+ ms +[\d.]+ ms +[\d.]+× +within the noise\n/,
    );
    const json = JSON.parse((await onDatabase(...options, "--json", "--compare", path)).stdout);
    assertEquals(
      json.comparison.results.map(({ mode }: Result) => mode),
      ["no-io", "serial"],
    );
  });
});
