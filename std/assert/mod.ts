/**
 * A stand-in for the part of `jsr:@std/assert@1` that this project uses, for places where JSR is out
 * of reach. Same names, same signatures, same behaviour; the real package fits in its place unchanged.
 *
 * What differs: equality is that of `node:assert/strict`, which is stricter (`0` does not equal `-0`, nor
 * an object without a prototype a plain one), except that it sees no private state behind a getter.
 *
 * @example Usage
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals([1, { two: new Set([2]) }], [1, { two: new Set([2]) }]);
 * assertThrows(() => JSON.parse("{"), SyntaxError);
 * ```
 *
 * @module
 */
export { assert, assertInstanceOf, assertMatch, assertStringIncludes } from "./assert.ts";
export { AssertionError } from "./assertion_error.ts";
export { assertEquals, assertNotEquals, assertStrictEquals } from "./equals.ts";
export { assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "./order.ts";
export { assertRejects, assertThrows } from "./throws.ts";
