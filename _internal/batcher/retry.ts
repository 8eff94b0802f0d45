import { assertMilliseconds, assertPositiveInteger } from "../shared/validate.ts";
import { isRetryableByDefault } from "./error_facts.ts";
import { guardQuestion } from "./guard.ts";

/** When items that could not be saved are sent again. */
export interface RetryOptions {
  /**
   * Most attempts at an item, including the first. The count starts over for the parts of a batch that
   * was split.
   *
   * @default {5}
   */
  maxAttempts?: number;
  /**
   * Longest pause before the second attempt, in milliseconds. It doubles with every further attempt,
   * and the pause is drawn at random between 0 and that ("full jitter"), so that many clients do not
   * come back at the same moment.
   *
   * @default {100}
   */
  minDelay?: number;
  /**
   * Longest pause before any attempt, in milliseconds.
   *
   * @default {10_000}
   */
  maxDelay?: number;
  /**
   * An item is not retried if its pause would end later than this, in milliseconds after its first
   * attempt began. An attempt always has its full `timeout`. May be `Infinity`.
   *
   * @default {120_000}
   */
  deadline?: number;
  /**
   * Which errors are worth another attempt. It is asked about an error with an unknown outcome only if
   * the batcher is `idempotent`, and about the error of a single item only if that has
   * `retryable: true`.
   *
   * By default, an error says so itself with a property `retryable`, `true` or `false`. An error without
   * one is retried, unless it is a `TypeError` or has `bisectable: true`. An error with a number as
   * `retryAfter` asks for a pause of at least that many milliseconds.
   */
  isRetryable?: (error: unknown) => boolean;
}

/** When items are sent again, with every option filled in. */
export interface RetryPolicy {
  /** How long, in milliseconds after the first attempt began, another one may begin. */
  readonly deadline: number;
  /** Never throws. */
  readonly isRetryable: (error: unknown) => boolean;
  /**
   * Pause in milliseconds after this attempt, counted from 1; `undefined` if none may follow.
   * `jitter` is from 0 to 1, and the same for items that may be retried together.
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
    deadline: options === false ? 0 : deadline,
    isRetryable: guardQuestion("retry.isRetryable", isRetryable),
    delayAfter(attempt, elapsed, { jitter = Math.random(), atLeast = 0 } = {}) {
      if (attempt >= maxAttempts) return undefined;
      const bound = Math.min(maxDelay, minDelay * 2 ** (attempt - 1));
      const delay = Math.max(jitter * bound, atLeast);
      return elapsed + delay > deadline ? undefined : delay;
    },
  };
}
