interface Waiting<T> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The batcher that one would write by hand: an array and a `setTimeout`. It is the honest baseline,
 * as it batches and does nothing else: no limit, no retry, no account.
 */
export class HandWritten<T> {
  readonly #send: (items: T[]) => Promise<unknown>;
  readonly #maxItems: number;
  readonly #delay: number;
  #added: Waiting<T>[] = [];
  #pushed: T[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    send: (items: T[]) => Promise<unknown>,
    { maxItems = 500, delay = 10 }: { maxItems?: number; delay?: number } = {},
  ) {
    this.#send = send;
    this.#maxItems = maxItems;
    this.#delay = delay;
  }

  /** Settles after the item was sent. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#added.push({ item, resolve, reject });
      this.#next(this.#added.length);
    });
  }

  push(item: T): void {
    this.#pushed.push(item);
    this.#next(this.#pushed.length);
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [added, pushed] = [this.#added, this.#pushed];
    this.#added = [];
    this.#pushed = [];
    try {
      if (pushed.length > 0) await this.#send(pushed);
      if (added.length > 0) await this.#send(added.map(({ item }) => item));
      for (const { resolve } of added) resolve();
    } catch (error) {
      for (const { reject } of added) reject(error);
    }
  }

  #next(size: number): void {
    if (size >= this.#maxItems) void this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#delay);
  }
}
