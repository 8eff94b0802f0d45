import { assertFunction, assertMilliseconds, assertPositiveInteger } from "./validate.ts";

/** When a batch that could not be sent is sent again. */
export interface RetryOptions {
  /**
   * How often a batch is sent at most, the first time included.
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
   * Which errors are worth another attempt. An error whose outcome is unknown is asked about only
   * where the batcher is `idempotent`.
   *
   * @default {(error) => error?.retryable !== false && !(error instanceof TypeError)}
   */
  isRetryable?: (error: unknown) => boolean;
}

/** The pauses of a batch, with every option filled in. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly isRetryable: (error: unknown) => boolean;
  /** Pause in milliseconds after this attempt, counted from 1. */
  delayAfter(attempt: number): number;
}

/** Fills in the defaults; `false` is a policy of one attempt. */
export function retryPolicy(options: RetryOptions | false): RetryPolicy {
  const {
    maxAttempts = 5,
    minDelay = 100,
    maxDelay = 10_000,
    isRetryable = isRetryableByDefault,
  } = options === false ? { maxAttempts: 1 } : options;
  const intent = "create a batcher";
  assertPositiveInteger(intent, "retry.maxAttempts", maxAttempts, { infinite: true });
  assertMilliseconds(intent, "retry.minDelay", minDelay);
  assertMilliseconds(intent, "retry.maxDelay", maxDelay);
  assertFunction(intent, "retry.isRetryable", isRetryable);
  return {
    maxAttempts,
    isRetryable,
    delayAfter: (attempt) => Math.random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1)),
  };
}

function isRetryableByDefault(error: unknown): boolean {
  const { retryable } = (error ?? {}) as { retryable?: unknown };
  return retryable !== false && !(error instanceof TypeError);
}
