/** Those who wait until every item up to a number is settled. */
export class Waiters {
  #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  wait(upTo: number): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push({ upTo, resolve }));
  }

  /** Wakes those who wait for items before the oldest that is not settled. */
  wake(findOldest: () => number): void {
    if (this.#waiting.length === 0) return;
    const oldest = findOldest();
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ upTo }) => upTo >= oldest);
    for (const { upTo, resolve } of waiting) if (upTo < oldest) resolve();
  }
}
