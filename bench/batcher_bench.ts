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
import { HandWritten } from "./hand_written.ts";

function send(): Promise<void> {
  return Promise.resolve();
}

for (const count of [1_000, 10_000, 100_000, 1_000_000]) {
  const items = count.toLocaleString("en");
  const runs = { n: Math.max(5, 500_000 / count), warmup: 3 };

  Deno.bench(`hand-written add, ${items}`, {
    group: `add ${items}`,
    baseline: true,
    ...runs,
  }, async () => {
    const batcher = new HandWritten<number>(send);
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
    const batcher = new HandWritten<number>(send);
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
    const batcher = new HandWritten<number>(send);
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
