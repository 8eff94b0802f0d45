import { assertMilliseconds, assertPositiveInteger } from "../shared/validate.ts";
import { Fifo } from "./fifo.ts";

/** The most that may leave within any interval of a given length: `calls`, `items`, or both. */
export interface RateLimitOptions {
  /** The length of the interval, in milliseconds. */
  interval: number;
  /**
   * Most calls of the send function in it.
   *
   * @default {Infinity}
   */
  calls?: number;
  /**
   * Most items in it. No batch holds more.
   *
   * @default {Infinity}
   */
  items?: number;
}

/** Remembers what left within the last interval. */
export class RateLimit {
  readonly #interval: number;
  readonly #maxCalls: number;
  readonly #maxItems: number;
  readonly #left = new Fifo<{ readonly at: number; readonly items: number }>();
  #calls = 0;
  #items = 0;

  constructor(options: RateLimitOptions) {
    const { interval, calls = Infinity, items = Infinity } = options;
    const intent = "create a batcher";
    assertMilliseconds(intent, "rateLimit.interval", interval, 1);
    assertPositiveInteger(intent, "rateLimit.calls", calls, { infinite: true });
    assertPositiveInteger(intent, "rateLimit.items", items, { infinite: true });
    if (options.calls === undefined && options.items === undefined) {
      throw new TypeError(`Cannot ${intent} as 'rateLimit' needs 'calls' or 'items', or both`);
    }
    this.#interval = interval;
    this.#maxCalls = calls;
    this.#maxItems = items;
  }

  /** When a call with this many items may leave, as far as is known now. */
  nextAt(items: number, now: number): number {
    for (let first = this.#left.head; first !== undefined; first = this.#left.head) {
      if (first.at + this.#interval > now) break;
      this.#left.shift();
      this.#calls--;
      this.#items -= first.items;
    }
    const isFree = this.#calls < this.#maxCalls && this.#items + items <= this.#maxItems;
    return isFree ? now : this.#left.head!.at + this.#interval;
  }

  count(items: number, now: number): void {
    this.#left.push({ at: now, items });
    this.#calls++;
    this.#items += items;
  }
}
