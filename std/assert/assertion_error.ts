/**
 * The error that every failed assertion throws.
 *
 * @example Usage
 * ```ts
 * import { assert, assertEquals, AssertionError, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => assert(1 > 2, "one is less"), AssertionError);
 * assertEquals(error.message, "one is less");
 * ```
 */
export class AssertionError extends Error {
  /**
   * Creates an error.
   *
   * @param message What was expected, and what was there instead.
   * @param options The `cause`, as for any error.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** The end of a failure's first sentence: the caller's own message, if there is one. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}
