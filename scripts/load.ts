/**
 * Measures what the pool gains a service: sign-ups and health while others sign up, against the same
 * service that hashes on its main thread; and what becomes of ten times as many as can be hashed.
 *
 * ```sh
 * deno run -A scripts/load.ts
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { LOAD } from "./load/flags.ts";

if (import.meta.main) await runProgram(LOAD, Deno.args);
