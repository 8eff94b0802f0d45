/**
 * Shows how many jobs of a queue are waiting, in progress, done and dead.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/status --nats nats://queue:4222
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { STATUS } from "./status/flags.ts";

if (import.meta.main) await runProgram(STATUS, Deno.args);
