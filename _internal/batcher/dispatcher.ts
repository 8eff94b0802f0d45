import type { Clock } from "./clock.ts";
import { atEndOfTurn, LONG_TURN } from "../shared/event_loop.ts";
import { InFlightKeys } from "./in_flight_keys.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Entry, Queue } from "../shared/queue.ts";

/** The dispatch rule: when a batch is due, and when it leaves. */
export class Dispatcher<T, R> {
  /** When the event loop is known to have had a turn, in milliseconds of the monotonic clock. */
  turnAt: number;
  /** Queued items up to this number are due, however young they are. */
  #dueUpTo = 0;
  #inFlight = 0;
  /** Whether everything that is queued waits for a key of what is in flight. */
  #stuck = false;
  readonly #keys: InFlightKeys<T, R> | undefined;
  /** Calls off the timer, or the end of the turn, at which the queue is looked at next. */
  #callOff: (() => void) | undefined;

  readonly #queue: Queue<T, R>;
  readonly #options: ResolvedOptions<T>;
  readonly #clock: Clock;
  readonly #send: (entries: Entry<T, R>[], waited: number) => void;

  /** Each call of `send` is to be followed by one of {@linkcode ended}. */
  constructor(
    queue: Queue<T, R>,
    options: ResolvedOptions<T>,
    clock: Clock,
    send: (entries: Entry<T, R>[], waited: number) => void,
  ) {
    this.#queue = queue;
    this.#options = options;
    this.#clock = clock;
    this.#send = send;
    this.#keys = options.orderingKey && new InFlightKeys();
    this.turnAt = clock.now;
  }

  /** Called whenever an item comes, a batch ends, or time has passed. */
  dispatch(now: number): void {
    const { maxItems, maxBytes, maxInFlight } = this.#options;
    while (this.#inFlight < maxInFlight && !this.#stuck && this.#isDue(now)) {
      this.callOff();
      const entries = this.#queue.take(maxItems, maxBytes, this.#keys?.has);
      this.#stuck = entries.length === 0;
      if (this.#stuck) return;
      this.#inFlight++;
      this.#keys?.hold(entries);
      this.#send(entries, now - entries[0].at);
    }
    if (this.#queue.head === undefined || this.#callOff !== undefined) return;
    if (this.#inFlight < maxInFlight && !this.#stuck) this.#lookAgain(this.#queue.head, now);
  }

  /** Makes all that is queued leave without waiting for company. */
  hurry(): void {
    this.#dueUpTo = this.#queue.lastNumber;
    this.dispatch(this.#clock.read());
  }

  /** A batch has ended: its slot is free, and so are its keys. */
  ended(entries: readonly Entry<T, R>[]): void {
    this.#inFlight--;
    this.#stuck = false;
    this.#keys?.release(entries);
    this.dispatch(this.#clock.read());
  }

  /** There is nothing left to look at. */
  callOff(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  /**
   * A queue that is full is due as well, since nothing can join it. And where the loop is blocked,
   * the end of the turn may be far away: the age of the first item counts also with no delay.
   */
  #isDue(now: number): boolean {
    const { head, size, bytes } = this.#queue;
    const { maxItems, maxQueued, maxBytes, linger } = this.#options;
    if (head === undefined) return false;
    if (size >= maxItems || size >= maxQueued || bytes >= maxBytes) return true;
    return head.number <= this.#dueUpTo || now - head.at >= (linger || LONG_TURN);
  }

  /** Nothing is due now, and a slot is free: looks again when the first item has waited enough. */
  #lookAgain(head: Entry<T, R>, now: number): void {
    const { linger } = this.#options;
    const look = () => {
      this.#callOff = undefined;
      this.turnAt = this.#clock.read();
      // With no delay, what was added in this turn leaves at its end.
      if (linger === 0) this.#dueUpTo = this.#queue.lastNumber;
      this.dispatch(this.turnAt);
    };
    if (linger === 0) this.#callOff = atEndOfTurn(look);
    else {
      const timer = setTimeout(look, Math.max(0, linger - (now - head.at)));
      this.#callOff = () => clearTimeout(timer);
    }
  }
}
