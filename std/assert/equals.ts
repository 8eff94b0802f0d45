import { AssertionError as NodeAssertionError } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { AssertionError, suffix } from "./assertion_error.ts";

/**
 * Asserts that two values are equal, deeply.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Map([["saved", [1, 2]]]), new Map([["saved", [1, 2]]]));
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should equal.
 * @param msg A message to add to the failure.
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  const difference = isDeepStrictEqual(actual, expected)
    ? diff(format(actual), format(expected), "strictEqual")
    : diff(actual, expected, "deepStrictEqual");
  throw new AssertionError(`Values are not equal${suffix(msg)}\n${difference}`);
}

/**
 * Asserts that two values are not equal, deeply.
 *
 * @example Usage
 * ```ts
 * import { assertNotEquals } from "@std/assert";
 *
 * assertNotEquals<unknown>({ id: 1 }, { id: "1" });
 * ```
 *
 * @typeParam T The type of both values.
 * @param actual The value to test.
 * @param expected The value it should not equal.
 * @param msg A message to add to the failure.
 */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${suffix(msg)}`,
  );
}

/**
 * Asserts that two values are the same, as `Object.is` has it, and tells the type checker so.
 *
 * @example Usage
 * ```ts
 * import { assertStrictEquals } from "@std/assert";
 *
 * const row = { id: 1 };
 * assertStrictEquals([row][0], row);
 * ```
 *
 * @typeParam T The type of the expected value.
 * @param actual The value to test.
 * @param expected The value it should be.
 * @param msg A message to add to the failure.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError(
    `Values are not strictly equal${suffix(msg)}\n${diff(actual, expected, "strictEqual")}`,
  );
}

/** Prints a value in full, in the same way for equal values. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
    getters: true,
    sorted: true,
    compact: false,
    trailingComma: true,
  });
}

/**
 * Node's comparison does not see all that `@std/assert` compares: the stack of an error, the state of
 * a `Temporal` or `Intl` object. It all shows when printed; which is too slow for the ordinary case.
 */
function equal(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b) && (!holdsOpaque(a) || format(a) === format(b));
}

const transparent = new Set<unknown>(
  [null, ...[Object, Array, Map, Set, Date, RegExp].map((type) => type.prototype)],
);

/** Whether a value has, at any depth, an object whose state may not be in its properties. */
function holdsOpaque(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  if (ArrayBuffer.isView(value)) return false;
  if (!transparent.has(Object.getPrototypeOf(value))) return true;
  seen.add(value);
  const parts = value instanceof Map || value instanceof Set ? [...value].flat() : [];
  return [...parts, ...Object.values(value)].some((part) => holdsOpaque(part, seen));
}

function diff(actual: unknown, expected: unknown, operator: string): string {
  return new NodeAssertionError({ actual, expected, operator }).message;
}
