import { AbortRegistry } from "../shared/abort_registry.ts";
import { assertSignal } from "../shared/validate.ts";
import type { Clock } from "./clock.ts";
import type { KeyLines } from "./key_lines.ts";
import type { Ledger } from "./ledger.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Item, Ticket } from "./pending_batch.ts";
import type { Queue } from "./queue.ts";
import type { Settlement } from "./settlement.ts";

/** What items pass on their way in. */
export interface IntakeSettings<T, R> {
  readonly options: Pick<ResolvedOptions<T>, "sizeOf" | "orderingKey" | "groupBy">;
  readonly queue: Queue<T, R>;
  readonly lines: KeyLines<T, R>;
  readonly ledger: Ledger<T, R>;
  readonly settlement: Settlement<T, R>;
  readonly clock: Clock;
  /** Throws once no items are taken any more. */
  readonly refuseIfClosed: (item: T) => void;
  /** Called when items have left the queue or changed their place in it, other than to be sent. */
  readonly changed: (now: number) => void;
}

/** Takes items into the queue, and out of it again when nobody wants them sent any more. */
export class Intake<T, R> {
  readonly #settings: IntakeSettings<T, R>;
  readonly #queue: Queue<T, R>;
  readonly #ledger: Ledger<T, R>;
  readonly #clock: Clock;
  /** Whether functions of the user's are called for every item. */
  readonly #asksUser: boolean;
  readonly #abortRegistry = new AbortRegistry<Ticket<T, R>>((ticket, reason) =>
    this.#withdraw(ticket, reason)
  );

  constructor(settings: IntakeSettings<T, R>) {
    this.#settings = settings;
    this.#queue = settings.queue;
    this.#ledger = settings.ledger;
    this.#clock = settings.clock;
    const { sizeOf, orderingKey, groupBy } = settings.options;
    this.#asksUser = (sizeOf ?? orderingKey ?? groupBy) !== undefined;
  }

  /** Returns the promise of the item's result. */
  add(item: T, signal: AbortSignal | undefined): Promise<R> {
    if (signal !== undefined || this.#asksUser) {
      return this.#accept(item, signal, true) as Promise<R>;
    }
    this.#clock.readSparsely();
    return this.#queue.append(item, this.#ledger.enter(), undefined, 0, undefined).promise();
  }

  /** Returns what the producer must wait for. */
  push(item: T, signal: AbortSignal | undefined): Promise<void> | undefined {
    return this.#accept(item, signal, false) as Promise<void> | undefined;
  }

  /** All of the user's code is through before anything of the batcher's changes. */
  #accept(
    item: T,
    maybeSignal: AbortSignal | undefined,
    isAdded: boolean,
  ): Promise<R | void> | undefined {
    const { queue, lines, ledger, refuseIfClosed } = this.#settings;
    const { sizeOf, orderingKey, groupBy } = this.#settings.options;
    const size = sizeOf === undefined ? 0 : sizeOf(item);
    const key = orderingKey?.(item);
    const group = groupBy?.(item);
    const signal = maybeSignal === undefined ? undefined : assertSignal("add an item", maybeSignal);
    signal?.throwIfAborted();
    const mustWait = !isAdded && !queue.hasRoom;
    const ticket = mustWait || signal !== undefined && isAdded
      ? newTicket<T, R>(size, mustWait)
      : undefined;
    if (ticket !== undefined && signal !== undefined) this.#abortRegistry.watch(ticket, signal);
    // The user's code may have closed the batcher.
    if (this.#asksUser || signal !== undefined) {
      try {
        refuseIfClosed(item);
      } catch (error) {
        this.forget([ticket]);
        throw error;
      }
    }
    this.#clock.readSparsely();
    const epoch = ledger.enter();
    const line = orderingKey && lines.find(key);
    // An item that may go its own way has a promise of its own.
    const isAlone = ticket !== undefined || orderingKey !== undefined;
    const caller = isAdded && isAlone ? Promise.withResolvers<R>() : undefined;
    let promise = caller?.promise;
    if (line !== undefined) {
      const one = { item, size, group, epoch, caller, line, history: undefined, ticket };
      if (ticket !== undefined) ticket.item = one;
      queue.count(1, size);
      lines.wait(line, one);
    } else {
      const batch = queue.append(item, epoch, caller, size, group);
      if (isAlone) batch.attach(orderingKey && lines.take(key), ticket);
      else if (isAdded) promise = batch.promise();
    }
    if (mustWait) queue.waitForRoom(ticket!);
    return isAdded ? promise : ticket?.room?.promise;
  }

  /** Their items have left the queue, and can no longer be withdrawn. */
  forget(tickets: readonly (Ticket<T, R> | undefined)[]): void {
    for (const ticket of tickets) if (ticket !== undefined) this.#abortRegistry.forget(ticket);
  }

  /** Takes an item into a batch that has stood in the line of its key. */
  release(one: Item<T, R>): void {
    const { queue, clock } = this.#settings;
    queue.count(-1, one.size);
    queue.putBack(one, clock.now);
  }

  /** Ends those who have stood in the line of a key for too long. */
  giveUp(waiting: readonly Item<T, R>[]): void {
    const { queue, settlement, clock, changed } = this.#settings;
    for (const { size, ticket } of waiting) {
      queue.count(-1, size);
      this.forget([ticket]);
    }
    const why = "a call with an earlier one of its ordering key has not come back";
    for (const one of waiting) settlement.abandon({ ...one, line: undefined }, why);
    changed(clock.read());
  }

  /** Takes everything out. */
  clear(): Item<T, R>[] {
    const { queue, lines } = this.#settings;
    const waiting = lines.clear().map((one) => ({ ...one, line: undefined }));
    const items = [...queue.clear(), ...waiting];
    this.forget(items.map(({ ticket }) => ticket));
    return items;
  }

  #withdraw(ticket: Ticket<T, R>, reason: unknown): void {
    const { queue, lines, ledger, clock, changed } = this.#settings;
    const { room, waiting, item } = ticket;
    this.#abortRegistry.forget(ticket);
    // A push that has found room is done.
    if (room !== undefined && !waiting) return;
    const one = queue.withdraw(ticket);
    if (waiting) room!.reject(reason);
    if (one.line !== undefined && item === undefined) lines.settled(one.line);
    ledger.fail(one, "unsent", reason, { isTold: waiting });
    changed(clock.read());
  }
}

function newTicket<T, R>(size: number, mustWait: boolean): Ticket<T, R> {
  return {
    size,
    room: mustWait ? Promise.withResolvers() : undefined,
    waiting: false,
    signal: undefined,
    item: undefined,
    batch: undefined,
    index: 0,
  };
}
