import { assertEquals } from "@std/assert";
import { formatReport, type Report, type Result } from "../scripts/bench/report.ts";
import { median, quantile } from "../scripts/measure/statistics.ts";
import { MODES } from "../scripts/bench/modes.ts";

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

function report(responses: Record<string, number>): Report {
  const results = Object.entries(responses).map(([mode, p50]): Result => ({
    mode,
    cost: 4,
    latencyMs: 0,
    count: 1,
    wallMs: { median: 1, min: 1, max: 1, samples: [1] },
    slowdown: null,
    rowsSaved: 1,
    responseMs: { p50, p99: p50, max: p50 },
    loopDelayMs: { p99: 0, max: 0 },
  }));
  const environment = { deno: "2", cpu: "x", cores: 1, postgres: "18", embedded: true };
  return { version: 1, environment, results };
}

function lastLines(responses: Record<string, number>): string {
  const plan = { modes: MODES, costs: [4], repeat: 1, batchSize: 1, workers: 1, passwords: [""] };
  return formatReport(report(responses), plan).split("answer late").join("").split(
    "is served",
  )[1].trim();
}

Deno.test("formatReport() says that a database is slow, and when it only seems so", () => {
  assertEquals(lastLines({ serial: 10, burst: 9 }), "");
  assertEquals(
    lastLines({ serial: 12, burst: 9 }),
    "This database is slow: a save takes 12.0 ms, and more than 10 ms is slow",
  );
  assertEquals(
    lastLines({ serial: 1, async: 40, burst: 9 }),
    "The database answers a save within 1.00 ms. Where it seems to take longer ('async'), the thread\nwas hashing and heard the",
  );
  assertEquals(
    lastLines({ async: 40 }),
    "A save takes more than 10 ms in 'async': add 'serial' to see whose fault it is",
  );
});
