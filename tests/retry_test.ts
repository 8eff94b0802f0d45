import { assert, assertEquals } from "@std/assert";
import { retryPolicy } from "../_internal/batcher/retry.ts";

Deno.test("retryPolicy() draws each pause between 0 and a bound that doubles up to the cap", () => {
  const { delayAfter } = retryPolicy({ minDelay: 100, maxDelay: 1000, maxAttempts: Infinity });
  for (const [attempt, bound] of [[1, 100], [2, 200], [3, 400], [4, 800], [5, 1000], [50, 1000]]) {
    const delays = Array.from({ length: 500 }, () => delayAfter(attempt, 0)!);
    assert(delays.every((delay) => delay >= 0 && delay <= bound));
    // Full jitter: of 500 draws, some are in the lowest and some in the highest tenth.
    assert(Math.min(...delays) < bound / 10 && Math.max(...delays) > bound * 0.9);
  }
});

Deno.test("retryPolicy() of false is one attempt", () => {
  assertEquals(retryPolicy(false).delayAfter(1, 0), undefined);
});

Deno.test("retryPolicy() allows so many attempts, the first included", () => {
  const { delayAfter } = retryPolicy({ maxAttempts: 3 });
  assert(delayAfter(2, 0) !== undefined);
  assertEquals(delayAfter(3, 0), undefined);
});

Deno.test("retryPolicy() has no attempt begin after the deadline", () => {
  const { delayAfter } = retryPolicy({ minDelay: 0, deadline: 1_000, maxAttempts: Infinity });
  assertEquals(delayAfter(1, 1_000), 0);
  assertEquals(delayAfter(1, 1_001), undefined);
  const late = retryPolicy({ minDelay: 100, maxDelay: 100, deadline: 1_000 });
  const delays = Array.from({ length: 100 }, () => late.delayAfter(1, 950));
  assert(delays.every((delay) => delay === undefined || delay <= 50));
  assert(delays.some((delay) => delay === undefined));
  assertEquals(retryPolicy({ minDelay: 0, deadline: Infinity }).delayAfter(1, 1e9), 0);
});

Deno.test("retryPolicy() takes an isRetryable that throws for a no", () => {
  const { isRetryable } = retryPolicy({
    isRetryable() {
      throw new Error("broken");
    },
  });
  assertEquals(isRetryable(new Error("busy")), false);
});

Deno.test("retryPolicy() by default does not retry a TypeError or what says that it is not retryable", () => {
  const { isRetryable } = retryPolicy({});
  assertEquals(isRetryable(new Error("busy")), true);
  assertEquals(isRetryable("busy"), true);
  assertEquals(isRetryable(undefined), true);
  assertEquals(isRetryable(new TypeError("misused")), false);
  assertEquals(isRetryable(Object.assign(new Error("no"), { retryable: false })), false);
  assertEquals(isRetryable(Object.assign(new TypeError("fetch"), { retryable: true })), true);
  assertEquals(isRetryable(Object.assign(new Error("bad item"), { bisectable: true })), false);
});
