import { assert, assertEquals } from "@std/assert";
import { retryPolicy } from "../_internal/retry.ts";

Deno.test("retryPolicy() draws each pause between 0 and a bound that doubles up to the cap", () => {
  const { delayAfter } = retryPolicy({ minDelay: 100, maxDelay: 1000 });
  for (const [attempt, bound] of [[1, 100], [2, 200], [3, 400], [4, 800], [5, 1000], [50, 1000]]) {
    const delays = Array.from({ length: 500 }, () => delayAfter(attempt));
    assert(delays.every((delay) => delay >= 0 && delay <= bound));
    // Full jitter: of 500 draws, some are in the lowest and some in the highest tenth.
    assert(Math.min(...delays) < bound / 10 && Math.max(...delays) > bound * 0.9);
  }
});

Deno.test("retryPolicy() of false is one attempt", () => {
  assertEquals(retryPolicy(false).maxAttempts, 1);
});

Deno.test("retryPolicy() by default does not retry a TypeError or what says that it is not retryable", () => {
  const { isRetryable } = retryPolicy({});
  assertEquals(isRetryable(new Error("busy")), true);
  assertEquals(isRetryable("busy"), true);
  assertEquals(isRetryable(undefined), true);
  assertEquals(isRetryable(new TypeError("misused")), false);
  assertEquals(isRetryable(Object.assign(new Error("no"), { retryable: false })), false);
});
