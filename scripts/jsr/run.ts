/**
 * The program `burst run`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/run --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("run", Deno.args);
