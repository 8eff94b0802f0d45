import { checkWorker } from "../cli/files.ts";
import type { Engine } from "./engines.ts";
import type { FromThread, ToThread } from "./worker.ts";

const WORKER = new URL("worker.ts", import.meta.url);

/** The threads of one engine. */
export class Threads implements Disposable {
  readonly #workers: Worker[];

  private constructor(count: number) {
    this.#workers = Array.from({ length: count }, () => new Worker(WORKER, { type: "module" }));
  }

  /**
   * Starts them.
   *
   * @throws {Error} If the engine cannot be loaded here.
   */
  static async start({ name }: Engine, count: number): Promise<Threads> {
    await checkWorker(WORKER);
    const threads = new Threads(count);
    try {
      // One first, as all of them would download it.
      for (const worker of threads.#workers) await tell(worker, { load: name });
      return threads;
    } catch (error) {
      threads[Symbol.dispose]();
      throw error;
    }
  }

  /** Has each of the first threads hash so many passwords, and returns the hashes in a second. */
  async hash(threads: number, cost: number, count: number): Promise<number> {
    const start = performance.now();
    const workers = this.#workers.slice(0, threads);
    await Promise.all(workers.map((worker) => tell(worker, { cost, count })));
    return threads * count / (performance.now() - start) * 1000;
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

/** Resolves when it is done. */
function tell(worker: Worker, message: ToThread): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { error } }: MessageEvent<FromThread>) =>
      error === undefined ? resolve() : reject(new Error(error));
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(message);
  });
}
