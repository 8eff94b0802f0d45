/** What {@linkcode Queue} holds: one item, and who waits for it. */
export class Entry<T, R> {
  /** In the order of adding, from 1. */
  number = 0;
  /** Whether the entry is in the queue. */
  queued = false;
  /** Whether the entry stands beyond the capacity of the queue. */
  waiting = false;
  next: Entry<T, R> | undefined = undefined;
  previous: Entry<T, R> | undefined = undefined;
  /** Settles the promise of a `push()` that waits for room. */
  room: PromiseWithResolvers<void> | undefined = undefined;
  /** What must not be in two batches at a time. */
  key: unknown = undefined;
  /** Withdraws the item while it is queued. */
  signal: AbortSignal | undefined = undefined;

  constructor(
    readonly item: T,
    readonly bytes: number,
    /** When it was added, in milliseconds of the monotonic clock. */
    readonly at: number,
    /** Settle the promise of an `add()`; a pushed item has neither. */
    readonly resolve: ((result: R) => void) | undefined,
    readonly reject: ((error: unknown) => void) | undefined,
  ) {}
}

/**
 * A first-in-first-out queue that never refuses an entry, and knows which of them stand beyond its
 * capacity. The line of those who wait for room is the tail of the queue itself, so that nobody can
 * be overtaken or forgotten, and one departure lets exactly one in.
 *
 * It is a linked list because an entry can be withdrawn from the middle in constant time.
 */
export class Queue<T, R> {
  head: Entry<T, R> | undefined = undefined;
  size = 0;
  bytes = 0;
  /** Number of the entry that was added last. */
  lastNumber = 0;
  readonly capacity: number;
  #tail: Entry<T, R> | undefined = undefined;
  #firstWaiting: Entry<T, R> | undefined = undefined;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  append(entry: Entry<T, R>): void {
    entry.number = ++this.lastNumber;
    entry.queued = true;
    const tail = this.#tail;
    if (tail === undefined) this.head = entry;
    else {
      tail.next = entry;
      entry.previous = tail;
    }
    this.#tail = entry;
    this.bytes += entry.bytes;
    if (++this.size > this.capacity) {
      entry.waiting = true;
      this.#firstWaiting ??= entry;
    }
  }

  /**
   * Takes entries from the head, as many as one batch holds, and leaves out those which have to wait.
   * Who stands beyond the capacity has not come in yet.
   */
  take(
    maxItems: number,
    maxBytes: number,
    hasToWait?: (entry: Entry<T, R>) => boolean,
  ): Entry<T, R>[] {
    const taken: Entry<T, R>[] = [];
    let bytes = 0;
    let next = this.head;
    while (next !== undefined && !next.waiting && taken.length < maxItems) {
      const entry = next;
      next = entry.next;
      if (hasToWait !== undefined && hasToWait(entry)) continue;
      if ((bytes += entry.bytes) > maxBytes) break;
      this.remove(entry);
      taken.push(entry);
    }
    return taken;
  }

  /** Takes everything. Nobody is let in: those who wait for room leave too, still waiting. */
  clear(): Entry<T, R>[] {
    const all: Entry<T, R>[] = [];
    for (let entry = this.head; entry !== undefined; entry = entry.next) all.push(entry);
    for (const entry of all) {
      entry.queued = false;
      entry.next = entry.previous = undefined;
    }
    this.head = this.#tail = this.#firstWaiting = undefined;
    this.size = this.bytes = 0;
    return all;
  }

  remove(entry: Entry<T, R>): void {
    const { previous, next } = entry;
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    this.size--;
    this.bytes -= entry.bytes;
    entry.queued = false;
    if (entry.waiting) {
      if (entry === this.#firstWaiting) this.#firstWaiting = next;
      entry.waiting = false;
      entry.room?.resolve();
    } else if (this.#firstWaiting !== undefined) this.#admit(this.#firstWaiting);
    // An old entry that points at younger ones would carry them into the old generation of the
    // garbage collector, and those the ones behind them: the whole stream would stay in memory.
    entry.next = entry.previous = undefined;
  }

  #admit(entry: Entry<T, R>): void {
    this.#firstWaiting = entry.next;
    entry.waiting = false;
    entry.room?.resolve();
  }
}
