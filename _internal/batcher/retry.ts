import { assertMilliseconds, assertPositiveInteger } from "../shared/validate.ts";
import { isRetryableByDefault } from "./error_facts.ts";
import { guardQuestion } from "./guard.ts";

/** When items that could not be saved are sent again. */
export interface RetryOptions {
  /**
   * How often an item is sent at most, the first time included. It starts over for the parts of a
   * batch that was split.
   *
   * @default {5}
   */
  maxAttempts?: number;
  /**
   * Upper bound, in milliseconds, of the pause before the second attempt. It doubles with every
   * further attempt, and the pause is drawn at random between 0 and the bound ("full jitter"), so
   * that many clients do not come back at the same moment.
   *
   * @default {100}
   */
  minDelay?: number;
  /**
   * Cap of that upper bound, in milliseconds.
   *
   * @default {10_000}
   */
  maxDelay?: number;
  /**
   * How long, in milliseconds after an item's first attempt began, its pauses before another one may
   * last. An attempt that is under way then still has its `timeout`. May be `Infinity`.
   *
   * @default {120_000}
   */
  deadline?: number;
  /**
   * Which errors are worth another attempt. An error whose outcome is unknown is asked about only
   * where the batcher is `idempotent`, and one that stands for a single item only if it says
   * `retryable: true`.
   *
   * By default, an error says so with a property `retryable`, `true` or `false`. One that does not is
   * taken to be, unless it is a `TypeError`, or `bisectable: true`. With a number of milliseconds as
   * its `retryAfter` it asks for a pause of at least that long.
   */
  isRetryable?: (error: unknown) => boolean;
}

/** When items are sent again, with every option filled in. */
export interface RetryPolicy {
  /** Never throws. */
  readonly isRetryable: (error: unknown) => boolean;
  /**
   * Pause in milliseconds after this attempt, counted from 1; `undefined` if none may follow.
   * `jitter` is from 0 to 1, and the same for what may come back together.
   */
  delayAfter(
    attempt: number,
    elapsed: number,
    options?: { jitter?: number; atLeast?: number },
  ): number | undefined;
}

/** Fills in the defaults; `false` is a policy of one attempt. */
export function retryPolicy(options: RetryOptions | false): RetryPolicy {
  const {
    maxAttempts = 5,
    minDelay = 100,
    maxDelay = 10_000,
    deadline = 120_000,
    isRetryable = isRetryableByDefault,
  } = options === false ? { maxAttempts: 1 } : options;
  const intent = "create a batcher";
  assertPositiveInteger(intent, "retry.maxAttempts", maxAttempts, { infinite: true });
  assertMilliseconds(intent, "retry.minDelay", minDelay);
  assertMilliseconds(intent, "retry.maxDelay", maxDelay);
  if (deadline !== Infinity) assertMilliseconds(intent, "retry.deadline", deadline);
  return {
    isRetryable: guardQuestion("retry.isRetryable", isRetryable),
    delayAfter(attempt, elapsed, { jitter = Math.random(), atLeast = 0 } = {}) {
      if (attempt >= maxAttempts) return undefined;
      const bound = Math.min(maxDelay, minDelay * 2 ** (attempt - 1));
      const delay = Math.max(jitter * bound, atLeast);
      return elapsed + delay > deadline ? undefined : delay;
    },
  };
}
