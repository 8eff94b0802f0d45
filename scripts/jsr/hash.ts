/**
 * The program `burst hash`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/hash --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("hash", Deno.args);
