import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { AsyncBatcher, type AsyncBatcherOptions, OutcomeError, type Send } from "../batcher.ts";
import {
  compute,
  ControlledSend,
  fakeClock,
  isPending,
  rejection,
  settle,
  stillClock,
} from "./_helpers.ts";

function fine(): Promise<void> {
  return Promise.resolve();
}

/** When each batch leaves, in milliseconds, and how large it is. */
function timedSend(start = performance.now()) {
  const left: [number, number][] = [];
  const send: Send<number> = (items) => {
    left.push([performance.now() - start, items.length]);
    return Promise.resolve();
  };
  return { send, left };
}

Deno.test("AsyncBatcher with rateLimit lets no more calls leave within an interval", async () => {
  using clock = fakeClock();
  const { send, left } = timedSend();
  const rateLimit = { interval: 100, calls: 2 };
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 9, rateLimit });
  for (let i = 0; i < 3; i++) batcher.push(i);
  await clock.tickAsync(40);
  for (let i = 0; i < 3; i++) batcher.push(i);
  await clock.tickAsync(1_000);
  assertEquals(left.map(([at]) => at), [0, 0, 100, 100, 200, 200]);
  await batcher.close();
  assertEquals(clock.countTimers(), 0);
});

Deno.test("AsyncBatcher with rateLimit lets no more items leave within an interval, nor in a batch", async () => {
  using clock = fakeClock();
  const { send, left } = timedSend();
  const batcher = new AsyncBatcher(send, { rateLimit: { interval: 100, items: 3 } });
  for (let i = 0; i < 8; i++) batcher.push(i);
  const closed = batcher.close();
  await clock.tickAsync(1_000);
  assertEquals(left, [[0, 3], [100, 3], [200, 2]]);
  await closed;
});

Deno.test("AsyncBatcher.push() waits for room where maxQueuedBytes are queued", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, {
    maxItems: 1,
    maxInFlight: 1,
    maxQueued: 100,
    maxQueuedBytes: 5,
    sizeOf: (item) => item.length,
  });
  await batcher.push("out");
  await batcher.push("1234");
  await batcher.push("5678");
  assertEquals(batcher.desiredSize, 0);
  const [large, small] = [batcher.push("90"), batcher.push("1")];
  assert(await isPending(Promise.race([large, small])));
  calls[0].resolve();
  await Promise.all([large, small].slice(0, 1));
  assert(await isPending(small));
  await batcher.abort();
  await rejection(small);
});

Deno.test("AsyncBatcher with groupBy mixes no groups, and each leaves when it is due", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, {
    groupBy: (item) => item[0],
    maxItems: 2,
    linger: 50,
    maxInFlight: 9,
  });
  batcher.push("a1");
  await clock.tickAsync(20);
  for (const item of ["b1", "c1", "b2", "b3"]) batcher.push(item);
  assertEquals(calls.map(({ items }) => items), [["b1", "b2"]]);
  await clock.tickAsync(30);
  assertEquals(calls.map(({ items }) => items), [["b1", "b2"], ["a1"]]);
  await clock.tickAsync(20);
  assertEquals(calls.map(({ items }) => items).slice(2), [["c1"], ["b3"]]);
  for (const call of calls) call.resolve();
  assertEquals((await batcher.close()).saved, 5);
});

Deno.test("AsyncBatcher with groupBy keeps a group together when its items are sent again", async () => {
  using _clock = stillClock();
  const batches: string[][] = [];
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const batcher = new AsyncBatcher<string>((items) => {
    const isFirst = batches.push([...items]) <= 2;
    return Promise.resolve(
      items.map((item) => isFirst && item[1] === "1" ? busy : undefined as never),
    );
  }, { groupBy: (item) => item[0], retry: { minDelay: 0 } });
  for (const item of ["a1", "b1", "a2", "b2"]) batcher.push(item);
  assertEquals((await batcher.close()).saved, 4);
  assertEquals(batches, [["a1", "a2"], ["b1", "b2"], ["a1"], ["b1"]]);
});

Deno.test("AsyncBatcher with groupBy does not let a busy group starve another", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, {
    groupBy: (item) => item[0],
    maxItems: 1_000,
    maxInFlight: 1,
    maxQueued: Infinity,
  });
  batcher.push("a");
  await settle();
  batcher.push("b");
  for (let i = 0; i < 3_000; i++) batcher.push("a");
  compute(6);
  calls[0].resolve();
  await settle();
  assertEquals(calls[1].items, ["b"]);
  await batcher.abort();
});

Deno.test("AsyncBatcher.pause() lets nothing leave until resume() or close()", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  batcher.pause();
  batcher.push(1);
  await settle();
  assertEquals(calls.length, 0);
  batcher.resume();
  assertEquals(calls.length, 1);
  batcher.pause();
  batcher.push(2);
  const closed = batcher.close();
  assertEquals(calls.length, 2);
  for (const call of calls) call.resolve();
  assertEquals((await closed).saved, 2);
});

Deno.test("AsyncBatcher.push() takes its item back when its signal is aborted before there is room", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1, maxQueued: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  await batcher.push(0);
  await batcher.push(1, { signal });
  const waiting = batcher.push(2, { signal });
  const admitted = batcher.push(3, { signal });
  calls[0].resolve();
  await waiting;
  controller.abort();
  assertStrictEquals(await rejection(admitted), signal.reason);
  assertStrictEquals(await rejection(batcher.push(4, { signal })), signal.reason);
  const closed = batcher.close();
  for (const i of [1, 2]) {
    await settle();
    calls[i].resolve();
  }
  assertEquals(calls.map(({ items }) => items), [[0], [1], [2]]);
  assertEquals(await closed, { added: 4, saved: 3, failed: 0, unknown: 0, unsent: 1 });
});

Deno.test("AsyncBatcher.flush() waits no longer than its signal, and the items go their way", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send);
  batcher.push(1);
  const controller = new AbortController();
  const flushed = rejection(batcher.flush({ signal: controller.signal }));
  controller.abort();
  assertStrictEquals(await flushed, controller.signal.reason);
  assertStrictEquals(
    await rejection(batcher.flush({ signal: controller.signal })),
    controller.signal.reason,
  );
  calls[0].resolve();
  await batcher.flush({ signal: AbortSignal.timeout(2 ** 30) });
  assertEquals((await batcher.close()).saved, 1);
});

Deno.test("AsyncBatcher waits as long as an error's retryAfter asks, if the deadline allows", async () => {
  using clock = fakeClock();
  for (const [retryAfter, calls] of [[5_000, [0, 5_000]], [20_000, [0]]] as const) {
    const start = performance.now();
    const called: number[] = [];
    const batcher = new AsyncBatcher<number>(() => {
      called.push(performance.now() - start);
      return called.length > 1 ? Promise.resolve() : Promise.reject(
        new OutcomeError("failed", "Too many requests", { retryable: true, retryAfter }),
      );
    }, { retry: { minDelay: 0, deadline: 10_000 } });
    const added = batcher.add(1).catch(() => {});
    await clock.tickAsync(30_000);
    await added;
    assertEquals(called, [...calls]);
    await batcher.close();
  }
});

Deno.test("AsyncBatcher with oversized: 'alone' sends an item larger than maxBytes by itself", async () => {
  const batches: string[][] = [];
  // deno-lint-ignore require-await
  const batcher = new AsyncBatcher<string>(async (items) => void batches.push([...items]), {
    maxBytes: 4,
    sizeOf: (item) => item.length,
    oversized: "alone",
    linger: 60_000,
  });
  for (const item of ["ab", "abcdef", "c", "d"]) batcher.push(item);
  assertEquals((await batcher.close()).saved, 4);
  assertEquals(batches, [["ab"], ["abcdef"], ["c", "d"]]);
});

Deno.test("AsyncBatcher refuses options of its features that cannot work", () => {
  const cases: [AsyncBatcherOptions<number>, string][] = [
    [
      { rateLimit: { interval: 0 } },
      "'rateLimit.interval' must be a number of milliseconds from 1",
    ],
    [
      { rateLimit: { interval: 1, calls: 0 } },
      "'rateLimit.calls' must be a positive integer or Infinity",
    ],
    [
      { rateLimit: { interval: 1, items: 0.5 } },
      "'rateLimit.items' must be a positive integer or Infinity",
    ],
    [{ maxQueuedBytes: 1 }, "'maxQueuedBytes' needs 'sizeOf', which is missing"],
    [
      { maxFailures: 0 },
      "'maxFailures' must be a positive integer or Infinity: current value is 0",
    ],
    [
      { oversized: "drop" as never },
      `'oversized' must be "refuse" or "alone": current value is a string`,
    ],
    [{ groupBy: 1 as never }, "'groupBy' must be a function: current value is 1"],
    [{ onFailure: "no" as never }, "'onFailure' must be a function: current value is a string"],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(() => new AsyncBatcher<number>(fine, options), Error);
    assert(error.message.startsWith(`Cannot create a batcher as ${message}`), error.message);
  }
});
