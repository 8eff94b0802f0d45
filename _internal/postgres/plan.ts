import { PostgresWriteError } from "./errors.ts";

/**
 * What the catalogue says about a table, read once. If the server could not be reached, the next batch
 * asks again.
 */
export class Plan<T> {
  readonly #read: (signal: AbortSignal) => Promise<T>;
  #current: { readonly found: Promise<T>; readonly controller: AbortController } | undefined;

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read;
  }

  /**
   * A batch that gives up waiting cancels the question for the others too: it was asked earlier, so it
   * has taken too long, and would keep all later batches waiting as well.
   */
  async get(signal?: AbortSignal): Promise<T> {
    const { found, controller } = this.#current ??= this.#start();
    const callOff = () => controller.abort();
    if (signal?.aborted) callOff();
    signal?.addEventListener("abort", callOff);
    try {
      return await found;
    } finally {
      signal?.removeEventListener("abort", callOff);
    }
  }

  /** Reads it again if an error says that the table has changed. */
  reconsider(error: unknown): void {
    if (error instanceof PostgresWriteError && error.code.startsWith("42")) {
      this.#current = undefined;
    }
  }

  #start() {
    const controller = new AbortController();
    const found = this.#read(controller.signal);
    const current = { found, controller };
    found.catch(() => {
      if (this.#current === current) this.#current = undefined;
    });
    return current;
  }
}
