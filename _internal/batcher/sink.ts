import type { Send } from "../shared/contract.ts";
import { describe } from "../shared/validate.ts";
import type { AsyncBatcherOptions } from "./options.ts";

/**
 * Where batches go: how one is sent, and the options that suit it.
 *
 * @example A sink with options of its own
 * ```ts
 * import { AsyncBatcher, type Sink } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const sizes: number[] = [];
 * const sink: Sink<string> = {
 *   send: async (words) => void sizes.push(words.length),
 *   defaults: { maxItems: 2 },
 * };
 * await using batcher = new AsyncBatcher(sink);
 * await Promise.all(["one", "two", "three"].map((word) => batcher.add(word)));
 * assertEquals(sizes, [2, 1]);
 * ```
 *
 * @typeParam T The type of the items.
 * @typeParam R The type of the results.
 */
export interface Sink<T, R = void> {
  /** Sends one batch. */
  readonly send: Send<T, R>;
  /** Options for the batcher. Those that are passed to the batcher itself take precedence. */
  readonly defaults?: AsyncBatcherOptions<T>;
  /** Finds what could not work, before the first item is sent. The batcher does not call it. */
  check?(): Promise<void>;
}

/** The send function and the options of a batcher with this sink. */
export function resolveSink<T, R>(
  sink: Sink<T, R> | Send<T, R>,
  options: AsyncBatcherOptions<T>,
): { send: Send<T, R>; options: AsyncBatcherOptions<T> } {
  if (typeof sink === "function") return { send: sink, options };
  if (typeof sink?.send !== "function") {
    throw new TypeError(
      `Cannot create a batcher as 'sink' must be a function or have a function 'send': current value is ${
        describe(sink)
      }`,
    );
  }
  // An undefined option counts as not given.
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    send: (items, batch) => sink.send(items, batch),
    options: { ...sink.defaults, ...Object.fromEntries(given) },
  };
}
