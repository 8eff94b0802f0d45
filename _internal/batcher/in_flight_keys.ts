import type { Entry } from "../shared/queue.ts";

/** The keys of what is in flight: an item with one of them has to wait. */
export class InFlightKeys<T, R> {
  readonly #keys = new Set<unknown>();

  readonly has = ({ key }: Entry<T, R>): boolean => this.#keys.has(key);

  hold(entries: readonly Entry<T, R>[]): void {
    for (const { key } of entries) this.#keys.add(key);
  }

  release(entries: readonly Entry<T, R>[]): void {
    for (const { key } of entries) this.#keys.delete(key);
  }
}
