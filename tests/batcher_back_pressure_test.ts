import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import v8 from "node:v8";
import vm from "node:vm";
import { AsyncBatcher, FlushError } from "../batcher.ts";
import { ControlledSend, isPending, rejection, settle, stillClock } from "./_helpers.ts";

Deno.test("AsyncBatcher never has more than maxInFlight batches out", async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let inFlight = 0, most = 0;
  const batcher = new AsyncBatcher<number>(async () => {
    most = Math.max(most, ++inFlight);
    await gate;
    await settle();
    inFlight--;
  }, { maxItems: 2, maxInFlight: 3, maxQueued: 1000 });
  for (let i = 0; i < 200; i++) batcher.push(i);
  assertEquals(batcher.inFlight, 3);
  const flushed = batcher.flush();
  open();
  await flushed;
  for (let i = 0; i < 200; i++) batcher.push(i);
  assertEquals((await batcher.close()).saved, 400);
  assertEquals(most, 3);
});

Deno.test("AsyncBatcher.push() resolves once there is room", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, {
    maxItems: 2,
    maxInFlight: 1,
    maxQueued: 2,
    linger: 60_000,
  });
  for (let i = 0; i < 4; i++) await batcher.push(i);
  assertEquals([batcher.size, batcher.desiredSize], [2, 0]);
  const fifth = batcher.push(4);
  assertEquals([batcher.size, batcher.desiredSize], [3, -1]);
  assert(await isPending(fifth));
  calls[0].resolve();
  await fifth;
  assertEquals(batcher.desiredSize, 1);
  calls[1].resolve();
  const closed = batcher.close();
  await settle();
  calls[2].resolve();
  assertEquals((await closed).saved, 5);
});

Deno.test("AsyncBatcher serves many waiters with capacity for one, first come first served", async () => {
  // Its clock stands still: on a busy machine a push that finds room may wait for the event loop.
  using _clock = stillClock();
  const sent: number[] = [];
  // deno-lint-ignore require-await
  const batcher = new AsyncBatcher<number>(async (items) => void sent.push(...items), {
    maxItems: 1,
    maxInFlight: 1,
    maxQueued: 1,
  });
  const served: number[] = [];
  const waiters = Array.from({ length: 50 }, (_, i) => batcher.push(i).then(() => served.push(i)));
  const adders = Array.from({ length: 50 }, (_, i) => batcher.add(50 + i));
  await Promise.all([...waiters, ...adders]);
  assertEquals(served, Array.from({ length: 50 }, (_, i) => i));
  assertEquals(sent, Array.from({ length: 100 }, (_, i) => i));
  await batcher.close();
});

Deno.test("AsyncBatcher lets exactly one waiter in for each item that leaves or is withdrawn", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1, maxQueued: 1 });
  const controller = new AbortController();
  batcher.push(0);
  const withdrawn = rejection(batcher.add(1, { signal: controller.signal }));
  const [second, third] = [batcher.push(2), batcher.push(3)];
  controller.abort();
  await withdrawn;
  await second;
  assert(await isPending(third));
  calls[0].resolve();
  await third;
  const closed = batcher.close();
  for (const i of [1, 2]) {
    await settle();
    calls[i].resolve();
  }
  assertEquals((await closed).saved, 3);
});

Deno.test("AsyncBatcher lets the next one in where the first who waits is withdrawn", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1, maxQueued: 1 });
  const controller = new AbortController();
  batcher.push(0);
  batcher.push(1);
  const withdrawn = rejection(batcher.add(2, { signal: controller.signal }));
  const third = batcher.push(3);
  controller.abort();
  await withdrawn;
  assert(await isPending(third));
  calls[0].resolve();
  await third;
  void batcher.abort();
});

Deno.test("AsyncBatcher sends a queue that is full although a batch would hold more", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 100, maxQueued: 2, linger: 60_000 });
  await batcher.push(1);
  await batcher.push(2);
  assertEquals(calls.map(({ items }) => items), [[1, 2]]);
  calls[0].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher.add() refuses at once an item that is larger than a batch may be", async () => {
  const batcher = new AsyncBatcher<string>(() => Promise.resolve(), {
    maxBytes: 3,
    sizeOf: (item) => item.length,
  });
  for (
    const error of [await rejection(batcher.add("four")), await rejection(batcher.push("four"))]
  ) {
    assertInstanceOf(error, RangeError);
    assertEquals(
      error.message,
      "Cannot add an item of 4 bytes as it is larger than a batch may be: 'maxBytes' is 3",
    );
  }
  assertEquals((await batcher.close()).added, 0);
});

Deno.test("AsyncBatcher.ready resolves when there is room, and at once where there is", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1, maxQueued: 1 });
  await batcher.ready;
  batcher.push(1);
  await batcher.ready;
  batcher.push(2);
  const ready = batcher.ready;
  assert(await isPending(ready));
  calls[0].resolve();
  await ready;
  calls[1].resolve();
  await batcher.close();
  await batcher.ready;
});

Deno.test("AsyncBatcher.add() works from inside the send function, a hook and a promise callback", async () => {
  const sent: string[] = [];
  const inner: Promise<void>[] = [];
  const batcher: AsyncBatcher<string> = new AsyncBatcher<string>(async (items) => {
    for (const item of items) {
      sent.push(item);
      if (item === "send") inner.push(batcher.add("from send"));
    }
    await settle();
  }, {
    maxItems: 1,
    maxInFlight: 1,
    onBatch: ({ attempt }) => {
      if (sent.length === 1 && attempt === 1) inner.push(batcher.add("from hook"));
    },
  });
  await batcher.add("send").then(() => inner.push(batcher.add("from callback")));
  await Promise.all(inner);
  assertEquals(sent, ["send", "from send", "from hook", "from callback"]);
  await batcher.close();
});

Deno.test("AsyncBatcher.writable slows a stream down and closes the batcher with it", async () => {
  const saved: number[] = [];
  let most = 0;
  const batcher = new AsyncBatcher<number>(async (items) => {
    most = Math.max(most, batcher.size);
    await settle();
    saved.push(...items);
  }, { maxItems: 2, maxInFlight: 1, maxQueued: 4 });
  await ReadableStream.from(Array.from({ length: 100 }, (_, i) => i)).pipeTo(batcher.writable);
  assertEquals(saved, Array.from({ length: 100 }, (_, i) => i));
  assert(most <= 5, `${most} items were queued`);
  assertEquals((await batcher.close()).saved, 100);
});

Deno.test("AsyncBatcher.writable rejects the pipe where items were not saved", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")));
  const error = await rejection(ReadableStream.from([1]).pipeTo(batcher.writable));
  assertInstanceOf(error, FlushError);
});

Deno.test("AsyncBatcher.writable aborts the batcher when the stream is aborted", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { linger: 60_000 });
  const source = new ReadableStream<number>({
    start(controller) {
      controller.enqueue(1);
    },
    pull(controller) {
      controller.error(new Error("torn"));
    },
  });
  await rejection(source.pipeTo(batcher.writable));
  const { added, unsent } = await batcher.close();
  assertEquals(added, unsent);
});

// A queue that is copied on every add needs hours for this.
Deno.test("AsyncBatcher takes a million items into its queue", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { maxQueued: Infinity });
  for (let i = 0; i < 1_000_000; i++) batcher.push(i);
  assertEquals((await batcher.close()).saved, 1_000_000);
});

Deno.test("AsyncBatcher keeps the heap flat and one listener over a million items with one long-lived signal", async () => {
  v8.setFlagsFromString("--expose_gc");
  const collect = vm.runInNewContext("gc") as () => void;
  const { signal } = new AbortController();
  let listeners = 0, most = 0, ever = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  signal.addEventListener = function (...args: unknown[]) {
    most = Math.max(most, ++listeners);
    ever++;
    addEventListener.apply(this, args as never);
  };
  signal.removeEventListener = function (...args: unknown[]) {
    listeners--;
    removeEventListener.apply(this, args as never);
  };
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { maxItems: 100 });
  async function addMany(): Promise<number> {
    for (let i = 0; i < 500; i++) {
      const added: Promise<void>[] = [];
      for (let j = 0; j < 1000; j++) added.push(batcher.add(j, { signal }));
      await Promise.all(added);
    }
    collect();
    return Deno.memoryUsage().heapUsed;
  }
  const before = await addMany();
  const after = await addMany();
  assertEquals([listeners, most], [0, 1]);
  assert(ever > 1);
  const growth = after - before;
  // Half a million listeners or queue entries would be tens of megabytes.
  assert(growth < 2_000_000, `the heap grew by ${growth} bytes`);
  assertEquals((await batcher.close()).saved, 1_000_000);
});
