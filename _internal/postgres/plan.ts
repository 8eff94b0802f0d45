import { PostgresWriteError, withoutValues } from "./errors.ts";

/**
 * What the catalogue says of a table, read once. But a server that was out of reach is asked again by
 * the next batch.
 */
export class Plan<T> {
  readonly #read: () => Promise<T>;
  #found: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  get(): Promise<T> {
    return this.#found ??= this.#read().catch((error) => {
      this.#found = undefined;
      throw withoutValues(error, { sent: false });
    });
  }

  /** Has it read again where an error says that the table is not what it was. */
  reconsider(error: unknown): void {
    if (error instanceof PostgresWriteError && error.code.startsWith("42")) {
      this.#found = undefined;
    }
  }
}
