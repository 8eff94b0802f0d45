import { isIP } from "node:net";

/** Options of {@linkcode GuessLimit}. */
export interface GuessLimitOptions {
  /** Guesses that may come at once. */
  readonly burst: number;
  /** Milliseconds in which as many become available again. */
  readonly period: number;
  /**
   * Most keys that are remembered; then the one that has not guessed for the longest is forgotten.
   *
   * @default {100_000}
   */
  readonly maxKeys?: number;
  readonly now?: () => number;
}

/** Limits how often somebody may guess: at first some times, then now and then. */
export class GuessLimit {
  readonly #burst: number;
  readonly #interval: number;
  readonly #maxKeys: number;
  readonly #now: () => number;
  /** When all guesses are available again, in the order of the last guess. */
  readonly #wholeAt = new Map<string, number>();

  constructor(
    { burst, period, maxKeys = 100_000, now = () => performance.now() }: GuessLimitOptions,
  ) {
    this.#burst = burst;
    this.#interval = period / burst;
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  /**
   * Takes a guess.
   *
   * @returns Seconds to wait for the next one if there is none left, or else 0.
   */
  take(key: string): number {
    const now = this.#now();
    const wholeAt = Math.max(now, this.#wholeAt.get(key) ?? now) + this.#interval;
    const wait = wholeAt - now - this.#burst * this.#interval;
    if (wait > 0) return Math.ceil(wait / 1_000);
    this.#wholeAt.delete(key);
    this.#wholeAt.set(key, wholeAt);
    if (this.#wholeAt.size > this.#maxKeys) {
      this.#wholeAt.delete(this.#wholeAt.keys().next().value!);
    }
    return 0;
  }

  /** Gives a guess back that was right, or that was not looked at. */
  giveBack(key: string): void {
    const wholeAt = this.#wholeAt.get(key);
    if (wholeAt === undefined) return;
    if (wholeAt - this.#interval <= this.#now()) this.#wholeAt.delete(key);
    else this.#wholeAt.set(key, wholeAt - this.#interval);
  }
}

/** Of an address of IPv6 the first half, as who has one has all that begin like it. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || isIP(address) !== 6) return mapped ?? address;
  const [head, tail] = address.split("%")[0].split("::").map((part) =>
    part === "" ? [] : part.split(":")
  );
  const zeros = Array(Math.max(0, 8 - head.length - (tail?.length ?? 0))).fill("0");
  const groups = tail === undefined ? head : [...head, ...zeros, ...tail];
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":");
}
