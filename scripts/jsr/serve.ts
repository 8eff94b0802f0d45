/**
 * The program `burst serve`, alone.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/serve --help
 * ```
 *
 * @module
 */
import { runProgram } from "../cli/program.ts";

if (import.meta.main) await runProgram("serve", Deno.args);
