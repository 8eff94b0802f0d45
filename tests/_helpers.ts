import FakeTimers from "@sinonjs/fake-timers";
import type { Batch, Send } from "../batcher.ts";
import { nextTurn } from "../_internal/shared/event_loop.ts";

/** One call of a send function whose answer the test gives. */
export interface Call<T, R> {
  readonly items: T[];
  readonly batch: Batch;
  resolve(results?: readonly (R | Error)[]): void;
  reject(error: unknown): void;
}

/** A send function that answers when, and what, the test says. */
export class ControlledSend<T, R = void> {
  readonly calls: Call<T, R>[] = [];
  /** Calls that are out, and the most there ever were. */
  inFlight = 0;
  mostInFlight = 0;

  readonly send: Send<T, R> = (items, batch) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly (R | Error)[] | void>();
    this.calls.push({ items: [...items], batch, resolve, reject });
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    return promise.finally(() => this.inFlight--);
  };

  get sizes(): number[] {
    return this.calls.map(({ items }) => items.length);
  }
}

/** Lets everything happen that needs no more than a few turns of the event loop. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await nextTurn();
}

/** Whether the promise is still pending after a few turns of the event loop. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settled = () => void (pending = false);
  promise.then(settled, settled);
  await settle();
  return pending;
}

/** What the promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The promise was not rejected");
}

/** A clock that stands still until the test moves it, for timers and the monotonic clock. */
export function fakeClock(
  toFake = ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"],
): ReturnType<typeof FakeTimers.install> & Disposable {
  const clock = FakeTimers.install({ toFake: toFake as never });
  return Object.assign(clock, { [Symbol.dispose]: () => clock.uninstall() });
}

/**
 * A clock that stands still for the batcher, not for timers: what is added in one go is one batch, even
 * where a busy machine halts the test for longer than a turn of the event loop may last.
 */
export function stillClock(): ReturnType<typeof fakeClock> {
  return fakeClock(["performance"]);
}

/** Keeps the processor busy, as hashing does: no timer fires meanwhile. */
export function compute(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}
