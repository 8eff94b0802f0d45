import { stripVTControlCharacters } from "node:util";
import { AssertionError, suffix } from "./assertion_error.ts";

/**
 * Asserts that a function throws.
 *
 * @example Usage
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => JSON.parse("{"));
 * ```
 *
 * @param fn The function to call.
 * @param msg A message to add to the failure.
 * @returns What was thrown.
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that a function throws an error of a class, with a text in its message.
 *
 * @example Usage
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => JSON.parse("{"), SyntaxError, "JSON");
 * assertEquals(error.name, "SyntaxError");
 * ```
 *
 * @typeParam E The class of the error.
 * @param fn The function to call.
 * @param ErrorClass The class of the error.
 * @param msgIncludes A text that its message should contain.
 * @param msg A message to add to the failure.
 * @returns The error.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...expected: Expected
): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, "thrown", expected);
  }
  throw new AssertionError(`Expected function to throw${suffix(messageOf(expected))}`);
}

/**
 * Asserts that a function returns a promise that rejects.
 *
 * @example Usage
 * ```ts
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Promise.reject("closed"));
 * ```
 *
 * @param fn The function to call. Throwing is not rejecting, and fails.
 * @param msg A message to add to the failure.
 * @returns What the promise rejected with.
 */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Asserts that a function returns a promise that rejects with an error of a class, with a text in its
 * message.
 *
 * @example Usage
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(() => new Response("{").json(), SyntaxError, "JSON");
 * assertEquals(error.name, "SyntaxError");
 * ```
 *
 * @typeParam E The class of the error.
 * @param fn The function to call. Throwing is not rejecting, and fails.
 * @param ErrorClass The class of the error.
 * @param msgIncludes A text that its message should contain.
 * @param msg A message to add to the failure.
 * @returns The error.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...expected: Expected
): Promise<unknown> {
  const promise = promiseOf(fn);
  if (!promise) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(messageOf(expected))}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    return checkError(error, "rejected", expected);
  }
  throw new AssertionError(`Expected function to reject${suffix(messageOf(expected))}`);
}

/** What follows the function: a message, or a class and its details. */
type Expected = [msg?: string] | [ErrorClass: ErrorClass, msgIncludes?: string, msg?: string];

// deno-lint-ignore no-explicit-any
type ErrorClass = abstract new (...args: any[]) => Error;

function messageOf(expected: Expected): string | undefined {
  return typeof expected[0] === "function" ? expected[2] : expected[0];
}

/** What a function returns, if it is a promise. */
function promiseOf(fn: () => unknown): PromiseLike<unknown> | undefined {
  try {
    const value = fn() as PromiseLike<unknown> | null | undefined;
    return typeof value === "object" && typeof value?.then === "function" ? value : undefined;
  } catch {
    return undefined;
  }
}

function checkError(error: unknown, verb: "thrown" | "rejected", expected: Expected): unknown {
  const [ErrorClass, msgIncludes = ""] = expected;
  if (typeof ErrorClass !== "function") return error;
  const end = suffix(messageOf(expected));
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${verb}${end}`);
  }
  const { constructor, message } = error;
  if (!(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${constructor?.name}"${end}`,
    );
  }
  if (!stripVTControlCharacters(message).includes(stripVTControlCharacters(msgIncludes))) {
    throw new AssertionError(
      `Expected error message to include ${JSON.stringify(msgIncludes)}, but got ${
        JSON.stringify(message)
      }${end}`,
    );
  }
  return error;
}
