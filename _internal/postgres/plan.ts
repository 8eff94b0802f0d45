import { PostgresWriteError } from "./errors.ts";

/**
 * What the catalogue says of a table, read once. A server that was out of reach is asked again by the
 * next batch.
 */
export class Plan<T> {
  readonly #read: (signal: AbortSignal) => Promise<T>;
  #current: { readonly found: Promise<T>; readonly controller: AbortController } | undefined;

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read;
  }

  /**
   * Who gives up waiting calls the question off, for the others too: it was asked before, so it has
   * been out for too long, and would keep all later batches waiting as well.
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

  /** Has it read again where an error says that the table is not what it was. */
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
