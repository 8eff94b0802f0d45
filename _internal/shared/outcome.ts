import { messageOf } from "./inspect.ts";

/**
 * How an item ended.
 *
 * - `"saved"`: the send function confirmed it.
 * - `"failed"`: the send function refused it; it was not saved.
 * - `"unknown"`: it was sent and no answer came. It may have been saved.
 * - `"unsent"`: it was never sent, because the batcher was closed or aborted, or the item withdrawn.
 */
export type Outcome = "saved" | "failed" | "unknown" | "unsent";

/**
 * An error that says how an item ended. A rejection with any other error means that the sink refused
 * the item: `"failed"`.
 *
 * @example Deal with an item that was not saved
 * ```ts
 * import { AsyncBatcher, OutcomeError } from "@burst/batcher";
 *
 * const batcher = new AsyncBatcher<string>(async () => {
 *   throw new Error("The sink is full");
 * });
 * await batcher.add("a").catch((error) => {
 *   const outcome = error instanceof OutcomeError ? error.outcome : "failed";
 *   console.log(outcome === "unknown" ? "it may be there" : "it is not there");
 * });
 * ```
 */
export class OutcomeError extends Error {
  /** How the items ended. */
  readonly outcome: Exclude<Outcome, "saved">;
  /** Whether another attempt at the same items may succeed; `undefined` if not known. */
  readonly retryable: boolean | undefined;
  /** Whether it is about single items of the batch; `undefined` if not known. */
  readonly bisectable: boolean | undefined;
  /** Milliseconds to wait before another attempt; `undefined` if not known. */
  readonly retryAfter: number | undefined;

  /**
   * Constructs an error.
   *
   * @param outcome How the items ended.
   * @param message What could not be done, and why.
   * @param options The cause, and hints for the batcher.
   */
  constructor(
    outcome: Exclude<Outcome, "saved">,
    message: string,
    options?: OutcomeErrorOptions,
  ) {
    super(message, options);
    this.name = "OutcomeError";
    this.outcome = outcome;
    this.retryable = options?.retryable;
    this.bisectable = options?.bisectable;
    this.retryAfter = options?.retryAfter;
  }
}

/** Options of {@linkcode OutcomeError}. */
export interface OutcomeErrorOptions extends ErrorOptions {
  /** Whether another attempt at the same items may succeed. */
  retryable?: boolean;
  /** Whether it is about single items, so that the others of the batch may be saved. */
  bisectable?: boolean;
  /** Milliseconds to wait before another attempt, as in the HTTP header `Retry-After`. */
  retryAfter?: number;
}

/**
 * An item was not sent, because the batcher was closed or aborted first.
 *
 * @example Keep an item that could not be sent
 * ```ts
 * import { AsyncBatcher, UnsentError } from "@burst/batcher";
 *
 * const batcher = new AsyncBatcher<string>(async () => {});
 * await batcher.close();
 * const spare: unknown[] = [];
 * await batcher.add("late").catch((error) => {
 *   if (error instanceof UnsentError) spare.push(error.item);
 * });
 * ```
 *
 * @typeParam T The type of the item.
 */
export class UnsentError<T = unknown> extends OutcomeError {
  /** How the item ended. */
  declare readonly outcome: "unsent";
  /** The item that was not sent. */
  readonly item: T;

  /**
   * Constructs an error that carries the item.
   *
   * @param item The item that was not sent.
   * @param message Why it was not sent.
   * @param options The cause, if there is one.
   */
  constructor(item: T, message: string, options?: ErrorOptions) {
    super("unsent", message, options);
    this.name = "UnsentError";
    this.item = item;
  }
}

/**
 * The items were sent and no answer came: they may have been saved.
 *
 * A batch that times out, or is aborted in flight, ends like this. A send function rejects with it (or
 * with any error whose `outcome` is `"unknown"`) if a connection broke before the answer.
 *
 * @example A send function that tells a lost answer from a refusal
 * ```ts
 * import { AsyncBatcher, UnknownOutcomeError } from "@burst/batcher";
 *
 * const batcher = new AsyncBatcher<string>(async (items) => {
 *   const response = await fetch("http://127.0.0.1:9/", {
 *     method: "POST",
 *     body: JSON.stringify(items),
 *   }).catch((cause) => {
 *     throw new UnknownOutcomeError("The connection broke", { cause });
 *   });
 *   if (!response.ok) throw new Error(`The server refused: ${response.status}`);
 * });
 * const error = await batcher.add("a").catch((error) => error);
 * console.log(error.outcome); // "unknown"
 * ```
 */
export class UnknownOutcomeError extends OutcomeError {
  /** How the items ended. */
  declare readonly outcome: "unknown";

  /**
   * Constructs an error.
   *
   * @param message What is not known, and why.
   * @param options The cause, and whether another attempt may succeed.
   */
  constructor(message: string, options?: OutcomeErrorOptions) {
    super("unknown", message, options);
    this.name = "UnknownOutcomeError";
  }
}

/** An item that was not saved. */
export interface Failure<T> {
  /** The item. */
  readonly item: T;
  /** How it ended. */
  readonly outcome: Exclude<Outcome, "saved">;
  /** The error of the send function, or why the item was not sent. */
  readonly error: unknown;
  /** How often it was sent. */
  readonly attempts: number;
}

/**
 * Pushed items were not saved. `flush()` rejects with it, and so does the end of an `await using`
 * block.
 *
 * @example List the items, and why
 * ```ts
 * import { AsyncBatcher, FlushError } from "@burst/batcher";
 *
 * const taken = new Error("two is taken");
 * const batcher = new AsyncBatcher<number>(async (items) =>
 *   items.map((item) => item === 2 ? taken : undefined) as Error[]
 * );
 * for (const item of [1, 2, 3]) await batcher.push(item);
 * const error = await batcher.flush().catch((error) => error);
 * if (error instanceof FlushError) {
 *   for (const { item, outcome, error: why } of error.failures) {
 *     console.log(item, outcome, why);
 *   }
 * }
 * ```
 *
 * @typeParam T The type of the items.
 */
export class FlushError<T = unknown> extends AggregateError {
  /** The items, in the order in which they ended. */
  readonly failures: readonly Failure<T>[];
  /** How many failures are not listed, if there were more than `maxFailures`. */
  readonly omitted: number;

  /**
   * Constructs an error from the failures.
   *
   * @param failures The items that were not saved; at least one.
   * @param omitted How many more there were.
   */
  constructor(failures: readonly Failure<T>[], omitted = 0) {
    const counts = (["failed", "unknown", "unsent"] as const)
      .map((outcome) => {
        const count = failures.filter((one) => one.outcome === outcome).length;
        return { count, text: `${count} ${outcome}` };
      })
      .filter(({ count }) => count > 0);
    if (omitted > 0) counts.push({ count: omitted, text: `${omitted} not listed` });
    const total = failures.length + omitted;
    super(
      failures.map(({ error }) => error),
      `Cannot save ${total} pushed ${total === 1 ? "item" : "items"} (${
        counts.map(({ text }) => text).join(", ")
      }); the first: ${messageOf(failures[0].error)}`,
    );
    this.name = "FlushError";
    this.failures = failures;
    this.omitted = omitted;
  }
}
