/** Items that were added between one flush and the next. */
export interface Epoch {
  /** How many of them are not settled. */
  open: number;
  next: Epoch | undefined;
  /** Resolves once it and all before it are settled. */
  readonly waiting: (() => void)[];
}

/** Knows when everything added so far is settled, at a constant cost per item. */
export class Epochs {
  /** The epoch of what is added now. */
  current: Epoch = { open: 0, next: undefined, waiting: [] };
  /** The oldest with open items. */
  #oldest = this.current;

  /** Resolves when everything added so far is settled. */
  settled(): Promise<void> {
    this.wake();
    const { current } = this;
    if (current === this.#oldest && current.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      current.waiting.push(resolve);
      this.current = current.next = { open: 0, next: undefined, waiting: [] };
    });
  }

  /** Wakes those who wait for nothing any more. */
  wake(): void {
    while (this.#oldest.open === 0 && this.#oldest.next !== undefined) {
      for (const resolve of this.#oldest.waiting) resolve();
      this.#oldest = this.#oldest.next;
    }
  }
}
