/** Longest that a client is told to stay away, in seconds. */
const MAX_RETRY_AFTER = 60;

/** How much the newest of the times counts for the mean. */
const WEIGHT = 0.1;

/**
 * Lets so many requests in that they are answered in reasonable time, and tells the others when to
 * come back: once what is in hand now is done, at the speed of late.
 */
export class ConcurrencyLimit {
  readonly #max: number;
  readonly #now: () => number;
  #inHand = 0;
  /** When the last one was done, or the first one came after a time of idleness. */
  #since = 0;
  /** Milliseconds between two that are done, while there are any. */
  #interval: number | undefined;

  constructor(max: number, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#now = now;
  }

  /** Requests that are in hand. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Whether there is room for another one. */
  get hasRoom(): boolean {
    return this.#inHand < this.#max;
  }

  /** Seconds after which one that is refused now may come back. */
  get retryAfter(): number {
    const seconds = Math.ceil(this.#inHand * (this.#interval ?? 0) / 1_000);
    return Math.min(MAX_RETRY_AFTER, Math.max(1, seconds));
  }

  /** Takes a request in hand until it is let go. */
  enter(): Disposable {
    if (this.#inHand++ === 0) this.#since = this.#now();
    return {
      [Symbol.dispose]: () => {
        this.#inHand--;
        const now = this.#now();
        const took = now - this.#since;
        this.#interval = this.#interval === undefined
          ? took
          : this.#interval + WEIGHT * (took - this.#interval);
        this.#since = now;
      },
    };
  }
}
