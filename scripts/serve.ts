/**
 * A sign-up service that stays responsive: hashes on all cores, saves in bursts, and answers 201 once
 * the row is committed.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/serve --database-url postgres://localhost/shop --create-table
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { SERVE } from "./serve/flags.ts";

if (import.meta.main) await runProgram(SERVE, Deno.args);
