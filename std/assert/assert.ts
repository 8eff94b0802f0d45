import { AssertionError, suffix } from "./assertion_error.ts";

/**
 * Asserts that a value is truthy, and tells the type checker so.
 *
 * @example Usage
 * ```ts
 * import { assert } from "@std/assert";
 *
 * const found = ["a", "b"].find((letter) => letter === "b");
 * assert(found);
 * found.toUpperCase();
 * ```
 *
 * @param expr The value to test.
 * @param msg The message of the failure.
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/**
 * Asserts that a value is an instance of a class, and tells the type checker so.
 *
 * @example Usage
 * ```ts
 * import { assertInstanceOf } from "@std/assert";
 *
 * const value: unknown = new URL("https://example.com");
 * assertInstanceOf(value, URL);
 * value.hostname;
 * ```
 *
 * @typeParam T The class.
 * @param actual The value to test.
 * @param expectedType The class it should be an instance of.
 * @param msg A message to add to the failure.
 */
export function assertInstanceOf<
  // deno-lint-ignore no-explicit-any
  T extends abstract new (...args: any[]) => any,
>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}" but was "${nameOfType(actual)}"${
      suffix(msg)
    }`,
  );
}

/**
 * Asserts that a string matches a pattern.
 *
 * @example Usage
 * ```ts
 * import { assertMatch } from "@std/assert";
 *
 * assertMatch("$2b$12$", /^\$2[aby]\$\d\d\$/);
 * ```
 *
 * @param actual The string to test.
 * @param expected The pattern it should match.
 * @param msg A message to add to the failure.
 */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a string contains another.
 *
 * @example Usage
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes("saved 500 rows", "500");
 * ```
 *
 * @param actual The string to search in.
 * @param expected The string it should contain.
 * @param msg A message to add to the failure.
 */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`,
  );
}

function nameOfType(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "Object";
}
