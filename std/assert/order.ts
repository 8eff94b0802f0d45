import { AssertionError } from "./assertion_error.ts";
import { format } from "./equals.ts";

/**
 * Asserts that a value is greater than another.
 *
 * @example Usage
 * ```ts
 * import { assertGreater } from "@std/assert";
 *
 * assertGreater(2, 1);
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should be above.
 * @param msg The message of the failure, in place of ours.
 */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) fail(actual, ">", expected, msg);
}

/**
 * Asserts that a value is greater than another, or equal to it.
 *
 * @example Usage
 * ```ts
 * import { assertGreaterOrEqual } from "@std/assert";
 *
 * assertGreaterOrEqual(2, 2);
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should not be below.
 * @param msg The message of the failure, in place of ours.
 */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual >= expected)) fail(actual, ">=", expected, msg);
}

/**
 * Asserts that a value is less than another.
 *
 * @example Usage
 * ```ts
 * import { assertLess } from "@std/assert";
 *
 * assertLess(1, 2);
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should be below.
 * @param msg The message of the failure, in place of ours.
 */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) fail(actual, "<", expected, msg);
}

/**
 * Asserts that a value is less than another, or equal to it.
 *
 * @example Usage
 * ```ts
 * import { assertLessOrEqual } from "@std/assert";
 *
 * assertLessOrEqual(2, 2);
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should not be above.
 * @param msg The message of the failure, in place of ours.
 */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual <= expected)) fail(actual, "<=", expected, msg);
}

function fail(
  actual: unknown,
  operator: string,
  expected: unknown,
  msg?: string,
): never {
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} ${operator} ${format(expected)}`,
  );
}
