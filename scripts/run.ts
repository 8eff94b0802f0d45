/**
 * Runs a function of yours over the rows of a file, on all cores, and saves its results to a table in
 * bursts.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/run score.ts texts.csv --table scores --data-dir ./data
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { RUN } from "./run/plan.ts";

if (import.meta.main) await runProgram(RUN, Deno.args);
