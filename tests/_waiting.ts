import { availableParallelism } from "node:os";
import { allowed } from "./_permissions.ts";

/** A test, as `Deno.test()` takes it. */
export interface WaitingTest {
  readonly name: string;
  readonly ignore?: boolean;
  readonly fn: () => Promise<void>;
}

/** Those of this file that are to run. */
const tests: WaitingTest[] = [];

/**
 * A test that mostly waits, for processes, for servers or for a time to pass, and shares nothing with
 * the others of its file. They run side by side, as the steps of one test, which takes care that all
 * of them together leave nothing open. With `FLAT=1` in the environment each is a test of its own, as
 * `--filter` finds no steps.
 */
export function waitingTest(test: WaitingTest): void {
  if (!allowed || test.ignore || Deno.env.get("FLAT")) return Deno.test(test);
  if (tests.push(test) > 1) return;
  const file = Deno.mainModule.split("/").at(-1)!;
  Deno.test(`${file}, side by side`, async (context) => {
    const rest = tests.values();
    const own = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };
    await Promise.all(Array.from({ length: 2 * availableParallelism() }, async () => {
      for (const test of rest) await context.step({ ...test, ...own });
    }));
  });
}
