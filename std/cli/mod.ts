/**
 * A stand-in for the part of `jsr:@std/cli@1` that this project uses, for places where JSR is out of
 * reach: see {@linkcode parseArgs}.
 *
 * @example Usage
 * ```ts
 * import { parseArgs } from "@std/cli";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseArgs(["--cost=12", "users.csv"]), { _: ["users.csv"], cost: 12 });
 * ```
 *
 * @module
 */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
