/**
 * Publishes the rows of a file as jobs for `worker.ts`: sealed, each acknowledged by NATS, and none
 * twice.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/enqueue users.csv --nats nats://queue:4222 --key-file key
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { ENQUEUE } from "./enqueue/flags.ts";

if (import.meta.main) await runProgram(ENQUEUE, Deno.args);
