import { Fifo } from "./fifo.ts";
import type { Item, KeyLine } from "./pending_batch.ts";

/** What happens to items that wait. */
export interface KeyLineEvents<T, R> {
  /** It holds the key now. */
  readonly release: (one: Item<T, R>) => void;
  /** They have waited too long. */
  readonly giveUp: (waiting: readonly Item<T, R>[]) => void;
}

/**
 * The ordering keys. One item at a time holds a key, from when it joins a batch until it is settled and
 * every call with it has returned: a call that has timed out may still save it. If such a call does
 * not return, the items behind it have a limit to their patience.
 */
export class KeyLines<T, R> {
  readonly #lines = new Map<unknown, KeyLine<T, R>>();
  readonly #patience: number;
  readonly #events: KeyLineEvents<T, R>;

  /** `patience`: how long, in milliseconds, items wait for a call that has not come back. */
  constructor(patience: number, events: KeyLineEvents<T, R>) {
    this.#patience = patience;
    this.#events = events;
  }

  /** The line of a key, if an item holds it. */
  find(key: unknown): KeyLine<T, R> | undefined {
    return this.#lines.get(key);
  }

  /** Gives a free key to an item. */
  take(key: unknown): KeyLine<T, R> {
    const line = { key, isSettled: false, calls: 0, waiting: undefined, timer: undefined };
    this.#lines.set(key, line);
    return line;
  }

  wait(line: KeyLine<T, R>, one: Item<T, R>): void {
    (line.waiting ??= new Fifo()).push(one);
    this.#watch(line);
  }

  left(lines: readonly (KeyLine<T, R> | undefined)[]): void {
    for (const line of lines) if (line !== undefined) line.calls++;
  }

  cameBack(lines: readonly (KeyLine<T, R> | undefined)[]): void {
    for (const line of lines) {
      if (line === undefined) continue;
      line.calls--;
      this.#passOn(line);
    }
  }

  settled(line: KeyLine<T, R>): void {
    line.isSettled = true;
    this.#passOn(line);
    this.#watch(line);
  }

  /** Takes all waiting items out of their lines. */
  clear(): Item<T, R>[] {
    return [...this.#lines.values()].flatMap((line) => this.#empty(line));
  }

  #passOn(line: KeyLine<T, R>): void {
    if (!line.isSettled || line.calls > 0) return;
    if (line.timer !== undefined) this.#stopTimer(line);
    let next = line.waiting?.shift();
    while (next !== undefined && next.epoch === undefined) next = line.waiting!.shift();
    if (next === undefined) this.#lines.delete(line.key);
    else {
      line.isSettled = false;
      this.#events.release(next);
    }
  }

  #watch(line: KeyLine<T, R>): void {
    if (!line.isSettled || line.calls === 0 || line.waiting?.head === undefined) return;
    if (this.#patience === Infinity) return;
    line.timer ??= setTimeout(() => this.#events.giveUp(this.#empty(line)), this.#patience);
  }

  #empty(line: KeyLine<T, R>): Item<T, R>[] {
    this.#stopTimer(line);
    return line.waiting?.clear().filter(({ epoch }) => epoch !== undefined) ?? [];
  }

  #stopTimer(line: KeyLine<T, R>): void {
    clearTimeout(line.timer);
    line.timer = undefined;
  }
}
