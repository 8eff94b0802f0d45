/** The clock of a {@linkcode DelayLine}. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Resolves at that time, as exactly as may be. */
  until(time: number): Promise<void>;
}

/**
 * Hands out chunks in their order, each a fixed time after it came in. Any number of them are on
 * their way at once, as on a long wire.
 */
export class DelayLine<T extends { readonly byteLength: number }> {
  readonly #delay: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  readonly #chunks: { readonly due: number; readonly chunk: T }[] = [];
  #bytes = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /**
   * @param delay Milliseconds that each chunk takes.
   * @param capacity Bytes on their way above which {@linkcode push} waits.
   */
  constructor(delay: number, capacity: number, clock: Clock) {
    this.#delay = delay;
    this.#capacity = capacity;
    this.#clock = clock;
  }

  /** Puts a chunk in. Resolves once there is room for more. */
  async push(chunk: T): Promise<void> {
    this.#chunks.push({ due: this.#clock.now() + this.#delay, chunk });
    this.#bytes += chunk.byteLength;
    this.#change();
    while (this.#bytes > this.#capacity && !this.#ended) await this.#changed.promise;
  }

  /** Says that no more will come. What is on its way still arrives. */
  end(): void {
    this.#ended = true;
    this.#change();
  }

  /** The chunks, as they arrive at the other end. */
  async *arrivals(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const head = this.#chunks[0];
      if (head === undefined) {
        if (this.#ended) return;
        await this.#changed.promise;
        continue;
      }
      if (head.due > this.#clock.now()) await this.#clock.until(head.due);
      this.#chunks.shift();
      yield head.chunk;
      // What the other end has not taken is still on its way, and holds the source back.
      this.#bytes -= head.chunk.byteLength;
      this.#change();
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
