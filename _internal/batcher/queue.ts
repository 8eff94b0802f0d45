import type { Clock } from "./clock.ts";
import type { Epoch } from "./epochs.ts";
import { Fifo } from "./fifo.ts";
import { type Item, PendingBatch, type Ticket } from "./pending_batch.ts";
import type { Caller } from "./shared_promises.ts";

/** The bounds of a queue and of its batches. */
export interface QueueLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
  /** How long a batch waits to fill, in milliseconds. */
  readonly linger: number;
}

/**
 * Bound of the items that wait for a retry, as a multiple of `maxQueued`. Items pause for 50 ms on
 * average after their first attempt: if a sink that takes 5 ms refuses every tenth one, as many as
 * `maxQueued` are in their pause all the time.
 */
const LATER = 4;

/**
 * The items to send, first in, first out, in the batches in which they will leave: batches that are
 * full, batches that are being filled (one, or one for each group), and batches that wait for a retry.
 *
 * It never refuses an item, and knows which producers must wait for room. Retries have a bound of
 * their own, so that a few refused items do not keep new ones out.
 */
export class Queue<T, R> {
  /** Whether adding has done more than to make a batch longer, since this was last set to `false`. */
  isNews = false;
  readonly #limits: QueueLimits;
  readonly #clock: Clock;
  readonly #ready = new Fifo<PendingBatch<T, R>>();
  /** The batches that are being filled, by their groups, oldest first. */
  readonly #open = new Map<unknown, PendingBatch<T, R>>();
  /** The one that was filled last, usually the only one. */
  #filled: PendingBatch<T, R> | undefined;
  #oldestOpen: PendingBatch<T, R> | undefined;
  /** The batches that wait for a retry, the next one last. */
  #later: { readonly batch: PendingBatch<T, R>; readonly notBefore: number }[] = [];
  #laterItems = 0;
  /** Items that wait for their keys, or are in a batch. */
  #items = 0;
  #bytes = 0;
  /** The producers that wait for room, in order of arrival, and what they bring. */
  readonly #waiting = new Fifo<Ticket<T, R>>();
  #waitingItems = 0;
  #waitingBytes = 0;

  constructor(limits: QueueLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Items that are not in flight. */
  get size(): number {
    return this.#items + this.#laterItems;
  }

  /** Room for items; 0 or less when producers should wait. */
  get room(): number {
    const { maxQueued, maxQueuedBytes } = this.#limits;
    const items = Math.min(maxQueued - this.#items, LATER * maxQueued - this.#laterItems);
    return this.#bytes < maxQueuedBytes ? items : Math.min(items, 0);
  }

  /** Whether another item may enter at once, not counting the producers that wait already. */
  get hasRoom(): boolean {
    const { maxQueued, maxQueuedBytes } = this.#limits;
    return this.#items - this.#waitingItems < maxQueued && !this.isClogged &&
      this.#bytes - this.#waitingBytes < maxQueuedBytes;
  }

  /** Whether so much is to be sent again that nothing may leave, as it might come back as well. */
  get isClogged(): boolean {
    return this.#laterItems >= LATER * this.#limits.maxQueued;
  }

  /** Whether nothing can join the batches that are being filled. */
  get isFull(): boolean {
    const { maxQueued, maxQueuedBytes } = this.#limits;
    return this.#items >= maxQueued || this.#bytes >= maxQueuedBytes;
  }

  /** The first batch that takes no more items. */
  get ready(): PendingBatch<T, R> | undefined {
    while (this.#ready.head?.live === 0) this.#ready.shift();
    return this.#ready.head;
  }

  /** The oldest batch that is being filled. */
  get filling(): PendingBatch<T, R> | undefined {
    return this.#oldestOpen;
  }

  /** When the next retry is due, in milliseconds of the monotonic clock. */
  get nextRetry(): number {
    return this.#later.at(-1)?.notBefore ?? Infinity;
  }

  /** Appends an item, and returns the batch in which it is the last. */
  append(
    item: T,
    epoch: Epoch,
    caller: Caller<R> | undefined,
    size: number,
    group: unknown,
  ): PendingBatch<T, R> {
    let batch = this.#filled;
    if (batch === undefined || size > 0 || batch.group !== group) {
      batch = this.#batchFor(group, size);
    }
    batch.append(item, epoch, caller, size);
    this.#joined(batch, size);
    return batch;
  }

  /** Appends an item that has waited already: it does not wait for a batch to fill again. */
  putBack(one: Item<T, R>, now: number): void {
    const batch = this.#batchFor(one.group, one.size, now);
    batch.put(one);
    if (this.#limits.linger > 0) batch.isDue = true;
    this.#joined(batch, one.size);
  }

  /** Puts a batch behind those that are ready. */
  putReady(batch: PendingBatch<T, R>): void {
    this.#items += batch.live;
    this.#bytes += batch.bytes;
    this.#ready.push(batch);
  }

  /** Puts back a batch for a retry. */
  putLater(batch: PendingBatch<T, R>, notBefore: number): void {
    let low = 0, high = this.#later.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#later[middle].notBefore > notBefore) low = middle + 1;
      else high = middle;
    }
    this.#later.splice(low, 0, { batch, notBefore });
    this.#laterItems += batch.live;
    this.#bytes += batch.bytes;
  }

  /** Takes up the retries that are due. */
  wake(now: number): void {
    while (this.nextRetry <= now) {
      const { batch, notBefore } = this.#later.pop()!;
      this.#laterItems -= batch.live;
      this.#bytes -= batch.bytes;
      batch.at = notBefore;
      if (batch.isSealed) this.putReady(batch);
      else for (const one of batch) this.putBack(one, now);
    }
    if (this.#waitingItems > 0) this.#letIn();
  }

  /** Lets every batch that is being filled leave as soon as a slot is free. */
  hurry(): void {
    for (const batch of this.#open.values()) batch.isDue = true;
  }

  /** Takes the first ready or the oldest open batch out of the queue, without holes. */
  take(batch: PendingBatch<T, R>): PendingBatch<T, R> {
    if (batch === this.#ready.head) this.#ready.shift();
    else this.#removeOpen(batch);
    this.#items -= batch.live;
    this.#bytes -= batch.bytes;
    batch.tickets?.forEach((ticket) => ticket !== undefined && this.#admit(ticket));
    if (this.#waitingItems > 0) this.#letIn();
    return batch.compact();
  }

  /** Counts an item that begins or ends to wait for its key. */
  count(items: 1 | -1, bytes: number): void {
    this.#items += items;
    this.#bytes += items * bytes;
    this.isNews = true;
  }

  /** Makes the producer of an item wait for room. */
  waitForRoom(ticket: Ticket<T, R>): void {
    ticket.waiting = true;
    this.#waiting.push(ticket);
    this.#waitingItems++;
    this.#waitingBytes += ticket.size;
  }

  /** Takes an item out, wherever it is. */
  withdraw(ticket: Ticket<T, R>): Item<T, R> {
    const { batch, index, item } = ticket;
    const withdrawn = item === undefined ? batch!.get(index) : { ...item };
    if (item !== undefined) item.epoch = undefined;
    else {
      batch!.drop(index);
      if (batch!.live === 0 && this.#open.get(batch!.group) === batch) this.#removeOpen(batch!);
    }
    this.count(-1, withdrawn.size);
    if (ticket.waiting) this.#stopWaiting(ticket);
    return withdrawn;
  }

  /** Takes everything. No producer is let in. */
  clear(): Item<T, R>[] {
    const batches = [
      ...this.#ready.clear(),
      ...this.#open.values(),
      ...this.#later.map(({ batch }) => batch),
    ];
    this.#open.clear();
    this.#filled = this.#oldestOpen = undefined;
    this.#later = [];
    this.#waiting.clear();
    this.#items =
      this.#bytes =
      this.#laterItems =
      this.#waitingItems =
      this.#waitingBytes =
        0;
    return batches.flatMap((batch) => [...batch]);
  }

  /** The first item of a batch anchors its delay, so that one gets the exact time. */
  #batchFor(group: unknown, size: number, now?: number): PendingBatch<T, R> {
    let batch = this.#filled;
    if (batch === undefined || batch.group !== group) batch = this.#open.get(group);
    if (batch !== undefined && batch.bytes > 0 && batch.bytes + size > this.#limits.maxBytes) {
      this.#close(batch);
      batch = undefined;
    }
    if (batch === undefined) {
      batch = new PendingBatch(group, now ?? this.#clock.read());
      this.#open.set(group, batch);
      this.#oldestOpen ??= batch;
      this.isNews = true;
    }
    return this.#filled = batch;
  }

  #joined(batch: PendingBatch<T, R>, size: number): void {
    this.#items++;
    this.#bytes += size;
    const { maxItems, maxBytes } = this.#limits;
    if (batch.items.length >= maxItems || batch.bytes >= maxBytes) this.#close(batch);
    else if (this.isFull) this.isNews = true;
  }

  #close(batch: PendingBatch<T, R>): void {
    this.#removeOpen(batch);
    this.#ready.push(batch);
    this.isNews = true;
  }

  #removeOpen(batch: PendingBatch<T, R>): void {
    this.#open.delete(batch.group);
    if (this.#filled === batch) this.#filled = undefined;
    if (this.#oldestOpen === batch) this.#oldestOpen = this.#open.values().next().value;
  }

  /** Lets waiting producers in, first come, first served. */
  #letIn(): void {
    for (let first = this.#waiting.head; first !== undefined; first = this.#waiting.head) {
      if (first.waiting && !this.hasRoom) return;
      this.#waiting.shift();
      this.#admit(first);
    }
  }

  #admit(ticket: Ticket<T, R>): void {
    if (!ticket.waiting) return;
    this.#stopWaiting(ticket);
    ticket.room!.resolve();
  }

  #stopWaiting(ticket: Ticket<T, R>): void {
    ticket.waiting = false;
    this.#waitingItems--;
    this.#waitingBytes -= ticket.size;
  }
}
