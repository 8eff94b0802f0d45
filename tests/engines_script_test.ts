import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { allowed } from "./_permissions.ts";
import type { Output } from "./fixtures/hash_run.ts";
import { runHere } from "./fixtures/script_here.ts";

function engines(...args: string[]): Promise<Output> {
  // Those of others would have to be downloaded.
  return runHere("engines.ts", ["--engines", "bcryptjs,lanes", ...args]);
}

Deno.test({
  name: "engines.ts samples every engine on one thread and on all",
  ignore: !allowed,
  async fn() {
    const { code, stdout, stderr } = await engines(
      "--cost",
      "4",
      "--workers",
      "2",
      "--repeat",
      "1",
      "--json",
    );
    assertEquals([code, stderr], [0, ""]);
    const measurements = JSON.parse(stdout);
    assertEquals(
      measurements.map(({ engine, cost, threads }: Record<string, unknown>) => [
        engine,
        cost,
        threads,
      ]),
      [["bcryptjs", 4, 1], ["lanes", 4, 1], ["bcryptjs", 4, 2], ["lanes", 4, 2]],
    );
    for (const { samples } of measurements) {
      assertEquals(samples.length, 1);
      assert(samples[0] > 0);
    }
  },
});

Deno.test({
  name: "engines.ts prints a table with ratios to the first engine",
  ignore: !allowed,
  async fn() {
    const { code, stdout } = await engines("--cost", "4", "--workers", "1", "--repeat", "1");
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /^hashes\/s +cost 4, 1 thread\nbcryptjs +[\d.,]+ \(1\.00×\)\nlanes +[\d.,]+ \(/,
    );
    assertStringIncludes(stdout, "passwords at once\n");
  },
});

Deno.test({
  name: "engines.ts refuses an engine that it does not know, with one sentence",
  ignore: !allowed,
  async fn() {
    const { code, stdout, stderr } = await runHere("engines.ts", ["--engines", "bcryptjs,rot13"]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(
      stderr,
      /^Cannot run this as --engines must be bcryptjs, .* or lanes, not 'rot13'\n$/,
    );
  },
});
