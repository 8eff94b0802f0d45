import * as fc from "fast-check";

/**
 * Any character that a string can hold, without the halves of surrogate pairs. The same as the unit
 * `"binary"` of `fc.string()`, which takes most of a second to make.
 */
export const CHARACTER: fc.Arbitrary<string> = fc.nat(0x10ffff - 0x800).map((n) =>
  String.fromCodePoint(n < 0xd800 ? n : n + 0x800)
);
