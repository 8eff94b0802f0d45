import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { AsyncBatcher, type Send, UnknownOutcomeError, UnsentError } from "../batcher.ts";
import { ControlledSend, fakeClock, isPending, rejection, settle, stillClock } from "./_helpers.ts";

const firstLetter = (item: string) => item[0];

/** A send function that does not come back on its signal, as a backend that is stopped. */
function stoppable() {
  const { send, calls } = new ControlledSend<string>();
  return { send, calls, sent: () => calls.map(({ items }) => items.join()) };
}

Deno.test("AsyncBatcher with orderingKey holds a key until a call that ran out of time has come back", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  const { send, calls, sent } = stoppable();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, timeout: 100 });
  const old = rejection(batcher.add("a1"));
  await settle();
  const newer = batcher.add("a2");
  await clock.tickAsync(100);
  assertInstanceOf(await old, UnknownOutcomeError);
  // Its slot is free, its key is not.
  assertEquals(batcher.inFlight, 0);
  const other = batcher.add("b1");
  await settle();
  assertEquals(sent(), ["a1", "b1"]);
  calls[1].resolve();
  await other;
  calls[0].reject(new Error("the backend is gone"));
  await settle();
  assertEquals(sent(), ["a1", "b1", "a2"]);
  calls[2].resolve();
  await newer;
  assertEquals(await batcher.close(), { added: 3, saved: 2, failed: 0, unknown: 1, unsent: 0 });
});

Deno.test("AsyncBatcher with orderingKey holds a key until every attempt has come back, also if a later one has saved the item", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  const { send, calls, sent } = stoppable();
  const batcher = new AsyncBatcher(send, {
    orderingKey: firstLetter,
    timeout: 100,
    idempotent: true,
    retry: { minDelay: 0 },
  });
  const first = batcher.add("a1");
  await settle();
  const second = batcher.add("a2");
  await clock.tickAsync(101);
  assertEquals(sent(), ["a1", "a1"]);
  calls[1].resolve();
  await first;
  assertEquals(sent(), ["a1", "a1"]);
  calls[0].resolve();
  await settle();
  assertEquals(sent(), ["a1", "a1", "a2"]);
  calls[2].resolve();
  await second;
  await batcher.close();
});

Deno.test("AsyncBatcher with orderingKey gives up what waits behind a call that does not come back", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  const { send, calls, sent } = stoppable();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, timeout: 100 });
  const first = rejection(batcher.add("a1"));
  await settle();
  const controller = new AbortController();
  const withdrawn = rejection(batcher.add("a2", { signal: controller.signal }));
  const second = rejection(batcher.add("a3"));
  await clock.tickAsync(100);
  await first;
  controller.abort();
  await withdrawn;
  await clock.tickAsync(99);
  assertEquals(batcher.size, 1);
  await clock.tickAsync(1);
  const error = await second;
  assertInstanceOf(error, UnsentError);
  assertEquals(
    [error.item, error.message],
    [
      "a3",
      "Cannot send an item as a call with an earlier one of its ordering key has not come back",
    ],
  );
  // The next ones wait anew, each no longer, and pass where the call comes back in time.
  const late = rejection(batcher.add("a0"));
  await clock.tickAsync(100);
  assertInstanceOf(await late, UnsentError);
  const third = batcher.add("a4");
  await clock.tickAsync(99);
  calls[0].resolve();
  await settle();
  assertEquals(sent(), ["a1", "a4"]);
  calls[1].resolve();
  await third;
  assertEquals(await batcher.close(), { added: 5, saved: 1, failed: 0, unknown: 1, unsent: 3 });
  assertEquals(clock.countTimers(), 0);
});

Deno.test("AsyncBatcher.close() with orderingKey ends although a call does not come back", async () => {
  const batcher = new AsyncBatcher<string>(() => new Promise(() => {}), {
    orderingKey: firstLetter,
    timeout: 5,
  });
  for (const item of ["a1", "a2", "a3"]) batcher.push(item);
  const { unknown, unsent, failures = [] } = await batcher.close();
  assertEquals([unknown, unsent], [1, 2]);
  assertEquals(failures.map(({ item, outcome, attempts }) => [item, outcome, attempts]), [
    ["a1", "unknown", 1],
    ["a2", "unsent", 0],
    ["a3", "unsent", 0],
  ]);
});

Deno.test("AsyncBatcher with orderingKey keeps the order where an item of a batch is tried again", async () => {
  const table = new Map<string, string>();
  const busy = Object.assign(new Error("busy"), { retryable: true });
  let calls = 0;
  const send: Send<string> = (items) => {
    calls++;
    const results = items.map((item) => {
      if (item === "k1" && calls === 1) return busy;
      return void table.set(item[0], item);
    });
    return Promise.resolve(results as Error[]);
  };
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, retry: { minDelay: 0 } });
  for (const item of ["k1", "k2", "k3", "l1"]) batcher.push(item);
  await batcher.close();
  assertEquals([...table.values()].sort(), ["k3", "l1"]);
});

Deno.test("AsyncBatcher with orderingKey never has two items of a key in a batch", async () => {
  using _clock = stillClock();
  const batches: string[][] = [];
  // deno-lint-ignore require-await
  const batcher = new AsyncBatcher<string>(async (items) => void batches.push([...items]), {
    orderingKey: firstLetter,
    maxItems: 10,
  });
  for (const item of ["a1", "a2", "b1", "a3", "b2"]) batcher.push(item);
  await batcher.close();
  assertEquals(batches, [["a1", "b1"], ["a2", "b2"], ["a3"]]);
});

Deno.test("AsyncBatcher.add() withdraws an item that stands in the line of its key", async () => {
  const { send, calls, sent } = stoppable();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter });
  const controller = new AbortController();
  const first = batcher.add("a1");
  await settle();
  const withdrawn = rejection(batcher.add("a2", { signal: controller.signal }));
  const third = batcher.add("a3");
  controller.abort();
  await withdrawn;
  assertEquals(batcher.size, 1);
  calls[0].resolve();
  await first;
  await settle();
  assertEquals(sent(), ["a1", "a3"]);
  calls[1].resolve();
  await third;
  assertEquals((await batcher.close()).unsent, 1);
});

Deno.test("AsyncBatcher.add() passes no key on when an item that waits for it is withdrawn", async () => {
  const { send, calls, sent } = stoppable();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, linger: 60_000, maxItems: 9 });
  const controller = new AbortController();
  batcher.push("a1");
  const withdrawn = rejection(batcher.add("a2", { signal: controller.signal }));
  batcher.push("a3");
  controller.abort();
  await withdrawn;
  const closed = batcher.close();
  assertEquals(sent(), ["a1"]);
  calls[0].resolve();
  await settle();
  calls[1].resolve();
  assertEquals((await closed).saved, 2);
});

Deno.test("AsyncBatcher.add() passes a key on when the item that has it is withdrawn", async () => {
  const { send, sent } = stoppable();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, linger: 60_000, maxItems: 9 });
  const controller = new AbortController();
  const withdrawn = rejection(batcher.add("a1", { signal: controller.signal }));
  const second = rejection(batcher.add("a2"));
  controller.abort();
  await withdrawn;
  assertEquals(sent(), ["a2"]);
  await batcher.abort();
  await second;
});

Deno.test("AsyncBatcher with a hot key slows down only those who push it", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter, maxQueued: 3, maxItems: 1 });
  for (let i = 0; i < 4; i++) batcher.push(`a${i}`);
  assert(await isPending(batcher.push("a4")));
  for (const letter of ["b", "c", "d"]) await batcher.push(`${letter}1`);
  assertEquals(calls.length, 4);
  await batcher.abort();
});
