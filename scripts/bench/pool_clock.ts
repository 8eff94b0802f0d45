import type { Computed } from "../../pool.ts";

/** From when to when a result was computed, in milliseconds of this thread's monotonic clock. */
export type Span = readonly [start: number, end: number];

/** Remembers when the results of a pool were computed, until they are asked for. */
export class PoolClock {
  readonly #spans = new Map<unknown, Span[]>();

  /** The option of the pool. */
  readonly onComputed = ({ result, start, end }: Computed): void => {
    const spans = this.#spans.get(result);
    if (spans === undefined) this.#spans.set(result, [[start, end]]);
    else spans.push([start, end]);
  };

  /** When that result was computed, the earliest of equal ones; it is forgotten. */
  take(result: unknown): Span | undefined {
    const spans = this.#spans.get(result);
    const span = spans?.shift();
    if (spans?.length === 0) this.#spans.delete(result);
    return span;
  }

  /** Forgets results that nobody has asked for. */
  clear(): void {
    this.#spans.clear();
  }
}
