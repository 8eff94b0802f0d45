import { atEndOfTurnUnlessSoon } from "../shared/event_loop.ts";

/**
 * Ends the calls that are out for too long. All have the same time, so that they are due in the order
 * in which they began, and one timer does for all of them. It is set at the end of the turn of the
 * event loop, as a timer takes some 5 µs in Deno, longer than all else that a call does.
 */
export class Timeouts {
  /** In milliseconds. */
  readonly timeout: number;
  /** What ends each call, and when, in milliseconds of the monotonic clock. */
  readonly #out = new Map<() => void, number>();
  #callOff: (() => void) | undefined;

  constructor(timeout: number) {
    this.timeout = timeout;
  }

  /** Calls `end` once the time is up, unless it is stopped before. */
  start(end: () => void): void {
    this.#out.set(end, performance.now() + this.timeout);
    this.#callOff ??= atEndOfTurnUnlessSoon(() => this.#setTimer());
  }

  stop(end: () => void): void {
    this.#out.delete(end);
    if (this.#out.size > 0) return;
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #setTimer(): void {
    const at: number = this.#out.values().next().value!;
    const timer = setTimeout(
      () => this.#timeIsUp(at),
      Math.max(0, Math.ceil(at - performance.now())),
    );
    this.#callOff = () => clearTimeout(timer);
  }

  #timeIsUp(at: number): void {
    this.#callOff = undefined;
    // Timers and the monotonic clock may differ by some microseconds.
    const now = Math.max(at, performance.now());
    for (const [end, deadline] of this.#out) {
      if (deadline > now) break;
      this.#out.delete(end);
      end();
    }
    if (this.#out.size > 0 && this.#callOff === undefined) this.#setTimer();
  }
}
