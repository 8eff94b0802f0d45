import { assertFunction, assertMilliseconds, assertPositiveInteger } from "../shared/validate.ts";

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
   * How long, in milliseconds after the first attempt began, another one may begin. An attempt that
   * is under way then still has its `timeout`. May be `Infinity`.
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
   * taken to be, unless it is a `TypeError`, or `bisectable: true`.
   */
  isRetryable?: (error: unknown) => boolean;
}

/** The pauses of a batch, with every option filled in. */
export interface RetryPolicy {
  /** Never throws. */
  readonly isRetryable: (error: unknown) => boolean;
  /** Pause in milliseconds after this attempt, counted from 1; `undefined` if none may follow. */
  delayAfter(attempt: number, elapsed: number): number | undefined;
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
  assertFunction(intent, "retry.isRetryable", isRetryable);
  return {
    isRetryable(error) {
      try {
        return isRetryable(error);
      } catch {
        return false;
      }
    },
    delayAfter(attempt, elapsed) {
      if (attempt >= maxAttempts) return undefined;
      const delay = Math.random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1));
      return elapsed + delay > deadline ? undefined : delay;
    },
  };
}

function isRetryableByDefault(error: unknown): boolean {
  const { retryable, bisectable } = (error ?? {}) as { retryable?: unknown; bisectable?: unknown };
  if (typeof retryable === "boolean") return retryable;
  return bisectable !== true && !(error instanceof TypeError);
}
