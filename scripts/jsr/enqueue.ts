/**
 * The program `burst enqueue`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/enqueue --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("enqueue", Deno.args);
