/**
 * The main job: measures what concurrency gains when hashes, or the results of a function of yours,
 * are saved to PostgreSQL.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/bench
 * ```
 *
 * @module
 */
import { BENCH } from "./bench/flags.ts";
import { runProgram } from "./cli/program.ts";

if (import.meta.main) await runProgram(BENCH, Deno.args);
