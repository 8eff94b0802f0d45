/**
 * What an item costs in the batcher, with a send function that does nothing, against the loop that
 * one would write by hand: an array and a `setTimeout`.
 *
 * ```sh
 * deno bench -A bench/batcher_bench.ts
 * ```
 *
 * Divide by the number of items: a queue that is linear costs the same per item at every size.
 */
import { AsyncBatcher } from "../batcher.ts";

const MAX_ITEMS = 500;

function send(): Promise<void> {
  return Promise.resolve();
}

interface Waiting {
  item: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** The honest baseline: it batches, and does nothing else. */
class HandWritten {
  #added: Waiting[] = [];
  #pushed: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  add(item: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#added.push({ item, resolve, reject });
      this.#next(this.#added.length);
    });
  }

  push(item: number): void {
    this.#pushed.push(item);
    this.#next(this.#pushed.length);
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [added, pushed] = [this.#added, this.#pushed];
    this.#added = [];
    this.#pushed = [];
    try {
      if (added.length + pushed.length > 0) await send();
      for (const { resolve } of added) resolve();
    } catch (error) {
      for (const { reject } of added) reject(error);
    }
  }

  #next(size: number): void {
    if (size >= MAX_ITEMS) void this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), 10);
  }
}

for (const count of [1_000, 10_000, 100_000, 1_000_000]) {
  const items = count.toLocaleString("en");
  const runs = { n: Math.max(5, 500_000 / count), warmup: 3 };

  Deno.bench(`hand-written add, ${items}`, {
    group: `add ${items}`,
    baseline: true,
    ...runs,
  }, async () => {
    const batcher = new HandWritten();
    const added = new Array<Promise<void>>(count);
    for (let i = 0; i < count; i++) added[i] = batcher.add(i);
    await batcher.flush();
    await Promise.all(added);
  });

  Deno.bench(`AsyncBatcher.add(), ${items}`, { group: `add ${items}`, ...runs }, async () => {
    const batcher = new AsyncBatcher<number>(send, { maxQueued: Infinity });
    const added = new Array<Promise<void>>(count);
    for (let i = 0; i < count; i++) added[i] = batcher.add(i);
    await batcher.close();
    await Promise.all(added);
  });

  // Both are awaited, as a producer does that may be asked to wait.
  Deno.bench(`hand-written push, ${items}`, {
    group: `push ${items}`,
    baseline: true,
    ...runs,
  }, async () => {
    const batcher = new HandWritten();
    for (let i = 0; i < count; i++) await batcher.push(i);
    await batcher.flush();
  });

  Deno.bench(`AsyncBatcher.push(), ${items}`, { group: `push ${items}`, ...runs }, async () => {
    const batcher = new AsyncBatcher<number>(send);
    for (let i = 0; i < count; i++) await batcher.push(i);
    await batcher.close();
  });

  Deno.bench(`hand-written push, not awaited, ${items}`, {
    group: `push, not awaited, ${items}`,
    baseline: true,
    ...runs,
  }, async () => {
    const batcher = new HandWritten();
    for (let i = 0; i < count; i++) batcher.push(i);
    await batcher.flush();
  });

  Deno.bench(`AsyncBatcher.push(), not awaited, ${items}`, {
    group: `push, not awaited, ${items}`,
    ...runs,
  }, async () => {
    const batcher = new AsyncBatcher<number>(send, { maxQueued: Infinity });
    for (let i = 0; i < count; i++) batcher.push(i);
    await batcher.close();
  });
}
