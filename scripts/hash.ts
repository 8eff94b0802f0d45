/**
 * The job that people have: hashes the passwords of a file on all cores, and saves the hashes to a
 * table in bursts.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/hash users.csv --database-url postgres://localhost/shop
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { HASH } from "./hash/plan.ts";

if (import.meta.main) await runProgram(HASH, Deno.args);
