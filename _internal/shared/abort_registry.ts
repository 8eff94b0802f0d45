import type { Entry } from "./queue.ts";

/**
 * The signals of the queued items. However many items share a signal, it has one listener, and that
 * only while one of them is queued: a signal that lives as long as the program gathers nothing, and
 * adding to it stays O(1) (`addEventListener` compares with every listener that is there).
 */
export class AbortRegistry<T, R> {
  readonly #withdraw: (entry: Entry<T, R>, reason: unknown) => void;
  readonly #watched = new Map<AbortSignal, { entries: Set<Entry<T, R>>; listener: () => void }>();

  constructor(withdraw: (entry: Entry<T, R>, reason: unknown) => void) {
    this.#withdraw = withdraw;
  }

  watch(entry: Entry<T, R>, signal: AbortSignal): void {
    entry.signal = signal;
    const watched = this.#watched.get(signal);
    if (watched !== undefined) {
      watched.entries.add(entry);
      return;
    }
    const entries = new Set([entry]);
    const listener = () => {
      for (const entry of [...entries]) this.#withdraw(entry, signal.reason);
    };
    this.#watched.set(signal, { entries, listener });
    signal.addEventListener("abort", listener);
  }

  /** They have left the queue, and can no longer be withdrawn. */
  forgetAll(entries: readonly Entry<T, R>[]): void {
    if (this.#watched.size > 0) { for (const entry of entries) this.forget(entry); }
  }

  forget(entry: Entry<T, R>): void {
    const { signal } = entry;
    if (signal === undefined) return;
    entry.signal = undefined;
    const watched = this.#watched.get(signal);
    if (watched === undefined) return;
    watched.entries.delete(entry);
    if (watched.entries.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener("abort", watched.listener);
  }
}
