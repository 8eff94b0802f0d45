/**
 * Does jobs that `enqueue.ts` has published, on as many machines as you like: hashes on all cores, or
 * calls a function of yours, saves in bursts, and acknowledges a job once its row is committed.
 *
 * ```sh
 * deno run -A jsr:@burst/batcher/worker --nats nats://queue:4222 --key-file key \
 *   --database-url postgres://db/shop
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";
import { WORKER } from "./worker/flags.ts";

if (import.meta.main) await runProgram(WORKER, Deno.args);
