import type { FromWorker, ToWorker } from "../../_internal/pool/hash_protocol.ts";

/** From when to when a hash was made, in milliseconds of this thread's monotonic clock. */
export type Span = readonly [start: number, end: number];

/**
 * Times the hashes of a pool by what goes to its workers and comes back. Where the pool hashes the
 * thread that listens is free, so it hears of them at once; of those that come in one message, each
 * is given an equal share of the time.
 */
export class PoolClock {
  readonly #spans = new Map<string, Span>();

  /** Makes a worker whose hashes are timed, as the option of the pool has it. */
  readonly createWorker = (url: string, name: string): Worker => {
    const worker = new Worker(url, { type: "module", name });
    const postedAt = new Map<number, number>();
    let freeAt = 0;
    const post = worker.postMessage.bind(worker) as (message: ToWorker, transfer: never) => void;
    worker.postMessage = (message: ToWorker, transfer: unknown) => {
      const now = performance.now();
      if (message.type === "group") { for (const { id } of message.jobs) postedAt.set(id, now); }
      post(message, transfer as never);
    };
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (data.type !== "results") return;
      const now = performance.now();
      const start = Math.max(freeAt, postedAt.get(data.results[0][0]) ?? 0);
      const each = (now - start) / data.results.length;
      for (const [i, [id, result]] of data.results.entries()) {
        postedAt.delete(id);
        if (typeof result !== "string") continue;
        this.#spans.set(result, [start + i * each, start + (i + 1) * each]);
      }
      freeAt = now;
    });
    return worker;
  };

  /** When that hash was made; it is forgotten. */
  take(hash: string): Span | undefined {
    const span = this.#spans.get(hash);
    this.#spans.delete(hash);
    return span;
  }

  /** Forgets hashes that nobody has asked for. */
  clear(): void {
    this.#spans.clear();
  }
}
