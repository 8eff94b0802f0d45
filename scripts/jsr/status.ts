/**
 * The program `burst status`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/status --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("status", Deno.args);
