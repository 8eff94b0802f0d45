import { atEndOfTurnUnlessSoon, LONG_TURN } from "../shared/event_loop.ts";
import { MAX_TIMER_DELAY } from "../shared/validate.ts";
import type { Clock } from "./clock.ts";
import type { ResolvedOptions } from "./options.ts";
import type { PendingBatch } from "./pending_batch.ts";
import type { Queue } from "./queue.ts";

/** The dispatch rule: when a batch is due, and when it leaves. */
export class Dispatcher<T, R> {
  /** When the event loop is known to have had a turn, in milliseconds of the monotonic clock. */
  turnAt: number;
  /** Calls of the send function in flight: each holds a slot. */
  inFlight = 0;
  #isPaused = false;
  /** Cancels the check of the queue at the end of this turn. */
  #callOffTurn: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  /** When time alone may make a difference again. */
  #nextLook = -Infinity;

  readonly #queue: Queue<T, R>;
  readonly #options: ResolvedOptions<T>;
  readonly #clock: Clock;
  readonly #send: (batch: PendingBatch<T, R>, now: number) => void;

  /** Each call of `send` must be followed by one of {@linkcode cameBack}. */
  constructor(
    queue: Queue<T, R>,
    options: ResolvedOptions<T>,
    clock: Clock,
    send: (batch: PendingBatch<T, R>, now: number) => void,
  ) {
    this.#queue = queue;
    this.#options = options;
    this.#clock = clock;
    this.#send = send;
    this.turnAt = clock.now;
  }

  /**
   * Called whenever an item is added. Most are one more of a batch that waits, and change nothing; nor
   * does any other before a slot is free.
   */
  added(now: number): void {
    const isNews = this.#queue.isNews && this.inFlight < this.#options.maxInFlight;
    if (isNews || now >= this.#nextLook) this.dispatch(now);
  }

  /** Called whenever a call returns, time has passed, or items have left the queue. */
  dispatch(now: number): void {
    const { maxInFlight, rateLimit } = this.#options;
    const queue = this.#queue;
    queue.wake(now);
    queue.isNews = false;
    while (this.inFlight < maxInFlight && !this.#isPaused) {
      if (queue.isClogged) return this.#setTimer(queue.nextRetry, now);
      const batch = this.#dueBatch(now);
      if (batch === undefined) return this.#lookAgain(now);
      if (rateLimit !== undefined) {
        const nextAt = rateLimit.nextAt(batch.live, now);
        if (nextAt > now) return this.#setTimer(nextAt, now);
        rateLimit.count(batch.live, now);
      }
      this.inFlight++;
      this.#send(queue.take(batch), now);
    }
    this.#setTimer(Infinity, now);
  }

  /** Lets everything in the queue leave without waiting for batches to fill. */
  hurry(): void {
    this.#queue.hurry();
    this.dispatch(this.#clock.read());
  }

  /** A call has returned: its slot is free. */
  cameBack(): void {
    this.inFlight--;
    this.dispatch(this.#clock.read());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.dispatch(this.#clock.read());
  }

  /**
   * The older of a batch that is full and one that has waited long enough. A full queue is due as
   * well, since nothing can join it. If the loop is blocked, the end of the turn may be far away, so
   * the age of the first item counts even without a delay.
   */
  #dueBatch(now: number): PendingBatch<T, R> | undefined {
    const { ready, filling } = this.#queue;
    if (filling === undefined || ready !== undefined && ready.at <= filling.at) return ready;
    const isDue = filling.isDue || now - filling.at >= (this.#options.linger || LONG_TURN) ||
      this.#queue.isFull;
    return isDue ? filling : ready;
  }

  /** Nothing is due and a slot is free: checks again when something will be due. */
  #lookAgain(now: number): void {
    const { linger } = this.#options;
    const { filling, nextRetry } = this.#queue;
    if (filling === undefined) {
      this.#callOffTurn?.();
      this.#callOffTurn = undefined;
    } else if (linger === 0) this.#callOffTurn ??= atEndOfTurnUnlessSoon(() => this.#endTurn());
    const nextDue = filling === undefined || linger === 0 ? Infinity : filling.at + linger;
    this.#setTimer(Math.min(nextDue, nextRetry), now);
    if (filling !== undefined) {
      this.#nextLook = Math.min(this.#nextLook, filling.at + (linger || LONG_TURN));
    }
  }

  /** With no delay, what was added in this turn leaves at its end. */
  #endTurn(): void {
    this.#callOffTurn = undefined;
    this.turnAt = this.#clock.read();
    this.#queue.hurry();
    this.dispatch(this.turnAt);
  }

  #setTimer(at: number, now: number): void {
    this.#nextLook = Math.min(at, this.#queue.nextRetry);
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Infinity) return;
    const delay = Math.max(0, Math.ceil(at - now));
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.turnAt = this.#clock.read();
      // Timers and the monotonic clock may differ by some microseconds.
      this.dispatch(delay > MAX_TIMER_DELAY ? this.turnAt : Math.max(this.turnAt, at));
    }, Math.min(delay, MAX_TIMER_DELAY));
  }
}
