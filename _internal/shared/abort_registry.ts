/**
 * The signals of queued items. A signal has one listener, however many items share it, and only while
 * one of them is queued. So a signal that lives as long as the program collects nothing, and adding to
 * it stays O(1) (`addEventListener` compares with every existing listener).
 */
export class AbortRegistry<E extends { signal: AbortSignal | undefined }> {
  readonly #withdraw: (entry: E, reason: unknown) => void;
  readonly #watched = new Map<AbortSignal, { entries: Set<E>; listener: () => void }>();

  constructor(withdraw: (entry: E, reason: unknown) => void) {
    this.#withdraw = withdraw;
  }

  watch(entry: E, signal: AbortSignal): void {
    const watched = this.#watched.get(signal);
    if (watched !== undefined) watched.entries.add(entry);
    else {
      const entries = new Set([entry]);
      const listener = () => {
        for (const entry of [...entries]) {
          if (entries.has(entry)) this.#withdraw(entry, signal.reason);
        }
      };
      signal.addEventListener("abort", listener);
      this.#watched.set(signal, { entries, listener });
    }
    entry.signal = signal;
  }

  /** They have left the queue, and can no longer be withdrawn. */
  forgetAll(entries: readonly E[]): void {
    if (this.#watched.size > 0) { for (const entry of entries) this.forget(entry); }
  }

  forget(entry: E): void {
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
