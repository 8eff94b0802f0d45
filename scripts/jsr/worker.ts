/**
 * The program `burst worker`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/worker --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("worker", Deno.args);
