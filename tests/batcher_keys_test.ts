import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { AsyncBatcher, type Send } from "../batcher.ts";
import { ControlledSend, isPending, rejection, settle } from "./_helpers.ts";

const firstLetter = (item: string) => item[0];

Deno.test("AsyncBatcher with orderingKey holds an item back while its key is in flight, and lets others pass", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, maxInFlight: 3 });
  batcher.push("a1");
  await settle();
  for (const item of ["a2", "b1", "a3"]) batcher.push(item);
  await settle();
  assertEquals(calls.map(({ items }) => items), [["a1"], ["b1"]]);
  assertEquals(batcher.size, 2);
  calls[0].resolve();
  await settle();
  assertEquals(calls.map(({ items }) => items), [["a1"], ["b1"], ["a2"]]);
  calls[1].resolve();
  calls[2].resolve();
  await settle();
  assertEquals(calls[3].items, ["a3"]);
  calls[3].resolve();
  assertEquals((await batcher.close()).saved, 4);
});

Deno.test("AsyncBatcher with orderingKey holds a key while its batch waits to be sent again", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, {
    orderingKey: firstLetter,
    maxItems: 1,
    retry: { minDelay: 0 },
  });
  batcher.push("a1");
  batcher.push("a2");
  await settle();
  calls[0].reject(new Error("busy"));
  while (calls.length < 2) await settle();
  assertEquals(calls.map(({ items }) => items), [["a1"], ["a1"]]);
  calls[1].resolve();
  await settle();
  assertEquals(calls[2].items, ["a2"]);
  calls[2].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher.flush() with orderingKey waits for an item that was held back", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, linger: 60_000 });
  batcher.push("a1");
  const first = batcher.flush();
  batcher.push("a2");
  batcher.push("b1");
  const second = batcher.flush();
  await settle();
  assertEquals(calls.map(({ items }) => items), [["a1"], ["b1"]]);
  calls[1].resolve();
  assert(await isPending(second));
  calls[0].resolve();
  await first;
  assert(await isPending(second));
  assertEquals(calls[2].items, ["a2"]);
  calls[2].resolve();
  await second;
  await batcher.close();
});

Deno.test("AsyncBatcher with orderingKey sends what waits for room where a hot key fills the queue", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, maxQueued: 2 });
  batcher.push("a1");
  await settle();
  batcher.push("a2");
  batcher.push("a3");
  await batcher.push("b1");
  assertEquals(calls[1].items, ["b1"]);
  const waiting = batcher.push("a4");
  assert(await isPending(waiting));
  for (let i = 0; i < 5; i++) {
    calls[i].resolve();
    await settle();
  }
  assertEquals(calls.map(({ items }) => items), [["a1"], ["b1"], ["a2"], ["a3"], ["a4"]]);
  assertEquals((await batcher.close()).saved, 5);
});

Deno.test("AsyncBatcher.abort() with orderingKey reports what was held back as unsent", async () => {
  const { send } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter });
  const first = rejection(batcher.add("a1"));
  await settle();
  const second = rejection(batcher.add("a2"));
  await settle();
  const account = await batcher.abort();
  assertEquals(account, { added: 2, saved: 0, failed: 0, unknown: 1, unsent: 1 });
  await Promise.all([first, second]);
});

Deno.test("AsyncBatcher.add() rejects where orderingKey throws, and nothing is queued", async () => {
  const broken = new Error("no key");
  const batcher = new AsyncBatcher<string>(() => Promise.resolve(), {
    orderingKey() {
      throw broken;
    },
  });
  assertEquals(await rejection(batcher.add("a")), broken);
  assertEquals((await batcher.close()).added, 0);
  assertThrows(
    () => new AsyncBatcher<string>(() => Promise.resolve(), { orderingKey: 1 as never }),
    TypeError,
    "Cannot create a batcher as 'orderingKey' must be a function: current value is 1",
  );
});

Deno.test("AsyncBatcher with orderingKey never has a key in two batches, and keeps the order of each key", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 60 }),
      fc.record({
        maxItems: fc.integer({ min: 1, max: 6 }),
        maxInFlight: fc.integer({ min: 1, max: 4 }),
        maxQueued: fc.integer({ min: 1, max: 20 }),
        linger: fc.constantFrom(0, 1),
      }),
      async (s, keys, limits) => {
        const out = new Set<number>();
        const sent = new Map<number, number[]>();
        const send: Send<{ key: number; n: number }> = async (items) => {
          const held = new Set(items.map(({ key }) => key));
          for (const key of held) assert(!out.has(key), `key ${key} is in two batches`);
          for (const key of held) out.add(key);
          for (const { key, n } of items) sent.set(key, [...sent.get(key) ?? [], n]);
          await s.schedule(Promise.resolve());
          for (const key of held) out.delete(key);
        };
        const batcher = new AsyncBatcher(send, { ...limits, orderingKey: ({ key }) => key });
        const added = keys.map((key, n) => batcher.add({ key, n }));
        await s.waitFor(Promise.all(added));
        assertEquals((await batcher.close()).saved, keys.length);
        for (const order of sent.values()) assertEquals(order, [...order].sort((a, b) => a - b));
      },
    ),
    { numRuns: 200 },
  );
});
