import type { Computed } from "../../pool.ts";

/** From when to when a hash was made, in milliseconds of this thread's monotonic clock. */
export type Span = readonly [start: number, end: number];

/** Remembers when the hashes of a pool were made, until they are asked for. */
export class PoolClock {
  readonly #spans = new Map<unknown, Span>();

  /** The option of the pool. */
  readonly onComputed = ({ result, start, end }: Computed): void => {
    this.#spans.set(result, [start, end]);
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
