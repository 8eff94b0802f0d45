import type { Epoch } from "./epochs.ts";
import type { Fifo } from "./fifo.ts";
import { type Caller, SharedPromises } from "./shared_promises.ts";

/** The history of an item that is to be sent again. */
export interface History {
  /** How often it has been sent. */
  readonly attempts: number;
  /** How often it has been sent, and since when, as the retry policy counts. */
  readonly tries: number;
  readonly since: number;
  /** The first attempt that got no answer. */
  readonly unanswered: number | undefined;
  /** The error it is rejected with if it is not sent again after all. */
  readonly error: unknown;
}

/** What only some items need: a signal that withdraws them, and a `push()` that waits for room. */
export interface Ticket<T, R> {
  /** The item, while it waits for its key, and then its place in a batch. */
  item: Item<T, R> | undefined;
  batch: PendingBatch<T, R> | undefined;
  index: number;
  signal: AbortSignal | undefined;
  readonly room: PromiseWithResolvers<void> | undefined;
  waiting: boolean;
  readonly size: number;
}

/** An item outside a batch, with all that belongs to it. */
export interface Item<T, R> {
  readonly item: T;
  readonly size: number;
  readonly group: unknown;
  /** The epoch that is settled only after it. `undefined` once it is withdrawn. */
  epoch: Epoch | undefined;
  /** Has the promise of an `add()`; a pushed item has none. */
  readonly caller: Caller<R> | undefined;
  readonly line: KeyLine<T, R> | undefined;
  readonly history: History | undefined;
  readonly ticket: Ticket<T, R> | undefined;
}

/** The items that wait for a key, in the order of adding, behind the one that holds it. */
export interface KeyLine<T, R> {
  readonly key: unknown;
  /** Whether the item that holds the key is settled. */
  isSettled: boolean;
  /** Calls of the send function with that item that have not returned. */
  calls: number;
  waiting: Fifo<Item<T, R>> | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Items that leave together, in parallel arrays, as an object for each would double the cost of adding
 * one. What only some items have is kept apart, and only if there is any.
 */
export class PendingBatch<T, R> {
  readonly items: T[] = [];
  /** The epoch of all of its items, unless they differ or one was withdrawn. */
  #epoch: Epoch | undefined;
  #epochs: (Epoch | undefined)[] | undefined;
  /** The promises of the first items, and the callers of those whose promises are not among them. */
  shared: SharedPromises<R> | undefined;
  readonly callers: (Caller<R> | undefined)[] = [];
  sizes: number[] | undefined;
  lines: (KeyLine<T, R> | undefined)[] | undefined;
  histories: (History | undefined)[] | undefined;
  tickets: (Ticket<T, R> | undefined)[] | undefined;
  /** Items that were withdrawn. */
  #holes = 0;
  /** The sum of the sizes of those that were not. */
  bytes = 0;
  /** Whether it may leave at once, however young. */
  isDue = false;
  /** The same for all attempts at these items together. */
  id: string | undefined;
  /** The larger batch of which this is a part. */
  splitFrom: string | undefined;
  /** Whether no item may join: its items were refused together, or may be there already. */
  isSealed = false;

  constructor(
    readonly group: unknown,
    /** When its first item was added, or put back. */
    public at: number,
  ) {}

  /** Items that were not withdrawn. */
  get live(): number {
    return this.items.length - this.#holes;
  }

  append(item: T, epoch: Epoch, caller: Caller<R> | undefined, size: number): void {
    const index = this.items.push(item) - 1;
    if (index === 0) this.#epoch = epoch;
    else if (this.#epochs !== undefined || epoch !== this.#epoch) this.#eachEpoch()[index] = epoch;
    if (caller !== undefined) this.callers[index] = caller;
    if (size > 0) {
      (this.sizes ??= [])[index] = size;
      this.bytes += size;
    }
  }

  /** The promise of the last item, if it has no caller yet. */
  promise(): Promise<R> {
    const index = this.items.length - 1;
    if (index === 0) this.shared = new SharedPromises();
    if (this.shared?.count === index) return this.shared.add();
    const caller = Promise.withResolvers<R>();
    this.callers[index] = caller;
    return caller.promise;
  }

  /** Gives the last item its key and its ticket. */
  attach(line: KeyLine<T, R> | undefined, ticket: Ticket<T, R> | undefined): void {
    const index = this.items.length - 1;
    if (line !== undefined) (this.lines ??= [])[index] = line;
    if (ticket !== undefined) {
      (this.tickets ??= [])[index] = ticket;
      ticket.batch = this;
      ticket.index = index;
      ticket.item = undefined;
    }
  }

  /** Appends an item with all that belongs to it. */
  put({ item, epoch, caller, size, line, ticket, history }: Item<T, R>): void {
    this.append(item, epoch!, caller, size);
    this.attach(line, ticket);
    if (history !== undefined) (this.histories ??= [])[this.items.length - 1] = history;
  }

  /** An item that goes its own way: its promise is settled without those of the others. */
  get(index: number, history: History | undefined = this.histories?.[index]): Item<T, R> {
    if (this.shared !== undefined && index < this.shared.count) {
      this.shared.separate().forEach((caller, i) => this.callers[i] = caller);
      this.shared = undefined;
    }
    return {
      item: this.items[index],
      size: this.sizes?.[index] ?? 0,
      group: this.group,
      epoch: this.#epochOf(index),
      caller: this.callers[index],
      line: this.lines?.[index],
      history,
      ticket: this.tickets?.[index],
    };
  }

  /** Withdraws an item, which leaves a hole. */
  drop(index: number): void {
    this.#holes++;
    this.bytes -= this.sizes?.[index] ?? 0;
    this.items[index] = undefined as T;
    this.#eachEpoch()[index] = undefined;
    this.callers[index] = undefined;
    if (this.tickets !== undefined) this.tickets[index] = undefined;
  }

  /** All items that were not withdrawn. */
  *[Symbol.iterator](): Iterator<Item<T, R>> {
    for (let i = 0; i < this.items.length; i++) {
      if (this.#epochOf(i) !== undefined) yield this.get(i);
    }
  }

  /** All of its items, none of which was withdrawn, are settled. */
  closeEpochs(): void {
    if (this.#epochs === undefined) this.#epoch!.open -= this.items.length;
    else for (const epoch of this.#epochs) epoch!.open--;
  }

  /** The same batch without the holes. */
  compact(): PendingBatch<T, R> {
    if (this.#holes === 0) return this;
    const compact = new PendingBatch<T, R>(this.group, this.at);
    for (const one of this) compact.put(one);
    return compact;
  }

  /** The highest number of attempts among its items. */
  get attempts(): number {
    let attempts = 0;
    this.histories?.forEach((history) => attempts = Math.max(attempts, history?.attempts ?? 0));
    return attempts;
  }
  #epochOf(index: number): Epoch | undefined {
    return this.#epochs === undefined ? this.#epoch : this.#epochs[index];
  }

  #eachEpoch(): (Epoch | undefined)[] {
    return this.#epochs ??= this.items.map(() => this.#epoch);
  }
}
