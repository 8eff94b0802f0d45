import { assert, assertEquals } from "@std/assert";
import { AsyncBatcher } from "../batcher.ts";
import { compute, ControlledSend, fakeClock, isPending, settle, stillClock } from "./_helpers.ts";

Deno.test("AsyncBatcher sends items that trickle in about every linger", async () => {
  using clock = fakeClock();
  const sentAt: number[] = [];
  const start = performance.now();
  const batcher = new AsyncBatcher<number>(
    // deno-lint-ignore require-await
    async () => void sentAt.push(performance.now() - start),
    { linger: 50 },
  );
  for (let i = 0; i < 20; i++) {
    batcher.push(i);
    await clock.tickAsync(30);
  }
  assertEquals(sentAt, [50, 110, 170, 230, 290, 350, 410, 470, 530, 590]);
  await batcher.close();
});

Deno.test("AsyncBatcher anchors linger to the first item that a full batch left behind", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { linger: 50, maxItems: 2 });
  batcher.push("a");
  await clock.tickAsync(40);
  batcher.push("b");
  batcher.push("c");
  assertEquals(calls.map(({ items }) => items), [["a", "b"]]);
  await clock.tickAsync(49);
  assertEquals(calls.length, 1);
  await clock.tickAsync(1);
  assertEquals(calls[1].items, ["c"]);
  for (const call of calls) call.resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher counts the time that an item waited for a slot towards linger", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { linger: 50, maxItems: 2, maxInFlight: 1 });
  batcher.push("a");
  batcher.push("b");
  batcher.push("c");
  await clock.tickAsync(30);
  calls[0].resolve();
  await clock.tickAsync(19);
  assertEquals(calls.length, 1);
  await clock.tickAsync(1);
  assertEquals(calls[1].items, ["c"]);
  calls[1].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher sends a full batch at once, and its timer is gone", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { linger: 1000, maxItems: 3 });
  batcher.push(1);
  batcher.push(2);
  assertEquals([calls.length, clock.countTimers()], [0, 1]);
  batcher.push(3);
  assertEquals(calls.map(({ items }) => items), [[1, 2, 3]]);
  assertEquals(clock.countTimers(), 0);
  // The timeout of the batch that is out is set where no answer comes very soon.
  for (let i = 0; i < 20; i++) await undefined;
  assertEquals(clock.countTimers(), 1);
  calls[0].resolve();
});

Deno.test("AsyncBatcher sends a batch that holds maxBytes at once", () => {
  const controlled = new ControlledSend<string>();
  const batcher = new AsyncBatcher(controlled.send, {
    linger: 1000,
    maxBytes: 10,
    sizeOf: (item) => item.length,
  });
  batcher.push("1234");
  batcher.push("1234");
  assertEquals(controlled.sizes, []);
  batcher.push("123");
  assertEquals(controlled.calls.map(({ items }) => items), [["1234", "1234"]]);
  batcher.push("1234567");
  assertEquals(controlled.calls[1].items, ["123", "1234567"]);
  for (const call of controlled.calls) call.resolve();
});

Deno.test("AsyncBatcher with no delay sends what one turn of the event loop added together", async () => {
  using _clock = stillClock();
  const controlled = new ControlledSend<number>();
  const batcher = new AsyncBatcher(controlled.send);
  batcher.push(1);
  await Promise.resolve();
  batcher.push(2);
  queueMicrotask(() => batcher.push(3));
  assertEquals(controlled.sizes, []);
  await settle();
  assertEquals(controlled.calls.map(({ items }) => items), [[1, 2, 3]]);
  controlled.calls[0].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher with no delay lets the queue grow into the next batch while the slots are busy", async () => {
  const controlled = new ControlledSend<number>();
  const batcher = new AsyncBatcher(controlled.send, { maxInFlight: 1 });
  for (let i = 0; i < 10; i++) {
    batcher.push(i);
    await settle();
  }
  assertEquals(controlled.sizes, [1]);
  controlled.calls[0].resolve();
  await settle();
  assertEquals(controlled.sizes, [1, 9]);
  controlled.calls[1].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher.flush() does not wait for linger", async () => {
  const batches: number[][] = [];
  await using batcher = new AsyncBatcher<number>(
    // deno-lint-ignore require-await
    async (items) => void batches.push([...items]),
    { linger: 1_000_000 },
  );
  batcher.push(1);
  batcher.push(2);
  await batcher.flush();
  assertEquals(batches, [[1, 2]]);
});

Deno.test("AsyncBatcher.add() sends what is due although the event loop is blocked", async () => {
  const controlled = new ControlledSend<number>();
  const batcher = new AsyncBatcher(controlled.send, { linger: 10, maxInFlight: 100 });
  const added: Promise<void>[] = [];
  for (let i = 0; i < 20; i++) {
    compute(5);
    added.push(batcher.add(i));
  }
  // No timer has fired: the loop has not had a turn.
  assert(controlled.calls.length > 3, `only ${controlled.calls.length} batches left`);
  for (const call of controlled.calls) call.resolve();
  void batcher.flush();
  controlled.calls.at(-1)!.resolve();
  await Promise.all(added);
});

Deno.test("AsyncBatcher.push() with no delay sends what is due although the event loop is blocked", async () => {
  const controlled = new ControlledSend<number>();
  const batcher = new AsyncBatcher(controlled.send, { maxInFlight: 100 });
  const pushed: Promise<void>[] = [];
  for (let i = 0; i < 10; i++) {
    pushed.push(batcher.push(i));
    compute(6);
  }
  assert(controlled.calls.length >= 5, `only ${controlled.calls.length} batches left`);
  for (const call of controlled.calls) call.resolve();
  // Or the turns that are given would go on in the next test
  await Promise.all(pushed);
  await batcher.abort();
});

Deno.test("AsyncBatcher.push() notices a loop that slows down after many fast calls", async () => {
  for (const fast of [100, 300, 700, 1000]) {
    const controlled = new ControlledSend<number>();
    const batcher = new AsyncBatcher(controlled.send, { maxItems: 10_000, maxInFlight: 100 });
    const pushed: Promise<void>[] = [];
    for (let i = 0; i < fast; i++) pushed.push(batcher.push(i));
    for (let i = 0; i < 9; i++) {
      compute(6);
      pushed.push(batcher.push(i));
    }
    assert(controlled.calls.length >= 1, `after ${fast}`);
    for (const call of controlled.calls) call.resolve();
    await Promise.all(pushed);
    await batcher.abort();
  }
});

Deno.test("AsyncBatcher.push() gives the event loop a turn now and then", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve());
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let i = 0; i < 20; i++) {
    compute(6);
    await batcher.push(i);
  }
  clearInterval(timer);
  assert(turns >= 10, `the event loop had ${turns} turns`);
  await batcher.close();
});

Deno.test("AsyncBatcher.push() does not give the event loop a turn when it has just had one", async () => {
  // Its clock stands still: however slow this machine is, no push takes long
  using clock = stillClock();
  await using batcher = new AsyncBatcher<number>(() => Promise.resolve());
  clock.tick(6);
  await batcher.push(1);
  let turned = false;
  setImmediate(() => turned = true);
  for (let i = 0; i < 100; i++) await batcher.push(i);
  assertEquals(turned, false);
  await settle();
});

Deno.test("AsyncBatcher holds no timer when it is idle", async () => {
  using clock = fakeClock();
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { linger: 10, maxItems: 2 });
  assertEquals(clock.countTimers(), 0);
  const added = [1, 2, 3].map((item) => batcher.add(item));
  await clock.tickAsync(10);
  await Promise.all(added);
  assertEquals([clock.countTimers(), batcher.size, batcher.inFlight], [0, 0, 0]);
});

Deno.test("AsyncBatcher takes no notice of a wall clock that steps back", async () => {
  using clock = fakeClock(["Date"]);
  clock.setSystemTime(new Date("2030-01-01"));
  const batches: number[][] = [];
  // deno-lint-ignore require-await
  const batcher = new AsyncBatcher<number>(async (items) => void batches.push([...items]), {
    linger: 5,
  });
  const first = batcher.add(1);
  clock.setSystemTime(new Date("2001-01-01"));
  await first;
  const second = batcher.add(2);
  await second;
  assertEquals(batches, [[1], [2]]);
  await batcher.close();
});

Deno.test("AsyncBatcher takes the longest delay that a timer can keep", () => {
  using clock = fakeClock();
  const delays: number[] = [];
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((callback: () => void, delay: number) => {
    delays.push(delay);
    return setTimeout(callback, delay);
  }) as typeof setTimeout;
  try {
    clock.tick(0.1);
    const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { linger: 2 ** 31 - 1 });
    batcher.push(1);
    assert(delays[0] <= 2 ** 31 - 1, `the timer was set to ${delays[0]} ms`);
    return batcher.abort().then(() => {});
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

Deno.test("AsyncBatcher.close() waits for the batches that are in flight", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  batcher.push(1);
  const closed = batcher.close();
  assert(await isPending(closed));
  calls[0].resolve();
  assertEquals((await closed).saved, 1);
});
