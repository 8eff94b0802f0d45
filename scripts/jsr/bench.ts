/**
 * The program `burst bench`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/bench --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("bench", Deno.args);
