import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { AsyncBatcher, FlushError, UnknownOutcomeError, UnsentError } from "../batcher.ts";
import { ControlledSend, fakeClock, isPending, rejection, settle, stillClock } from "./_helpers.ts";

Deno.test("AsyncBatcher.close() sends more items than one batch holds", async () => {
  const sizes: number[] = [];
  // deno-lint-ignore require-await
  const batcher = new AsyncBatcher<number>(async (items) => void sizes.push(items.length), {
    maxItems: 3,
    maxInFlight: 1,
    linger: 60_000,
    maxQueued: 100,
  });
  for (let i = 0; i < 8; i++) batcher.push(i);
  assertEquals(await batcher.close(), { added: 8, saved: 8, failed: 0, unknown: 0, unsent: 0 });
  assertEquals(sizes, [3, 3, 2]);
});

Deno.test("AsyncBatcher.close() loses nothing of a partial batch behind which a full one queues", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 4, maxInFlight: 1 });
  batcher.push(0);
  await settle();
  batcher.push(1);
  batcher.push(2);
  await settle();
  for (let i = 3; i < 7; i++) batcher.push(i);
  const closed = batcher.close();
  for (let i = 0; i < 3; i++) {
    calls[i].resolve();
    await settle();
  }
  assertEquals(calls.map(({ items }) => items), [[0], [1, 2, 3, 4], [5, 6]]);
  assertEquals((await closed).saved, 7);
});

Deno.test("AsyncBatcher.close() carries a retry through that is in its pause", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  let calls = 0;
  const batcher = new AsyncBatcher<number>(
    () => ++calls === 1 ? Promise.reject(new Error("busy")) : Promise.resolve(),
    { retry: { minDelay: 20 } },
  );
  const added = batcher.add(1);
  await settle();
  const closed = batcher.close();
  assert(await isPending(closed));
  assertEquals(calls, 1);
  await clock.tickAsync(20);
  assertEquals(await closed, { added: 1, saved: 1, failed: 0, unknown: 0, unsent: 0 });
  await added;
});

Deno.test("AsyncBatcher.abort() ends a retry that is in its pause, and reports its items", async () => {
  const refused = new Error("busy");
  const batcher = new AsyncBatcher<number>(() => Promise.reject(refused), {
    retry: { minDelay: 1_000_000, maxDelay: 1_000_000 },
  });
  const added = rejection(batcher.add(1));
  await settle();
  assertEquals(await batcher.abort(), { added: 1, saved: 0, failed: 1, unknown: 0, unsent: 0 });
  assertStrictEquals(await added, refused);
});

Deno.test("AsyncBatcher.add() rejects with an error that carries the item once the batcher closes", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  batcher.push("in time");
  const closed = batcher.close();
  const during = await rejection(batcher.add("during"));
  calls[0].resolve();
  assertEquals(await closed, { added: 1, saved: 1, failed: 0, unknown: 0, unsent: 0 });
  const after = await rejection(batcher.push("after"));
  for (const [error, item] of [[during, "during"], [after, "after"]] as const) {
    assertInstanceOf(error, UnsentError);
    assertEquals(error.item, item);
    assertEquals(error.message, "Cannot add an item as the batcher is closed");
  }
});

Deno.test("AsyncBatcher.close() refuses what the send function adds meanwhile", async () => {
  const refused: unknown[] = [];
  const batcher: AsyncBatcher<number> = new AsyncBatcher<number>(async (items) => {
    for (const item of items) refused.push(await rejection(batcher.add(item + 1)));
  }, { linger: 60_000 });
  batcher.push(1);
  assertEquals(await batcher.close(), { added: 1, saved: 1, failed: 0, unknown: 0, unsent: 0 });
  assertInstanceOf(refused[0], UnsentError);
});

Deno.test("AsyncBatcher.close() gives the same account every time", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve());
  batcher.push(1);
  const [first, second] = await Promise.all([batcher.close(), batcher.close()]);
  assertStrictEquals(first, second);
  assertStrictEquals(await batcher.abort(), first);
});

Deno.test("AsyncBatcher.close() lists the pushed items that failed, which nobody else has seen", async () => {
  const refused = new Error("no");
  const batcher = new AsyncBatcher<string>(() => Promise.reject(refused));
  batcher.push("a");
  assertEquals(await batcher.close(), {
    added: 1,
    saved: 0,
    failed: 1,
    unknown: 0,
    unsent: 0,
    failures: [{ item: "a", outcome: "failed", error: refused, attempts: 1 }],
  });
});

Deno.test("AsyncBatcher at the end of 'await using' has sent everything", async () => {
  const saved: number[] = [];
  {
    // deno-lint-ignore require-await
    await using batcher = new AsyncBatcher<number>(async (items) => void saved.push(...items));
    await batcher.push(1);
  }
  assertEquals(saved, [1]);
});

Deno.test("AsyncBatcher at the end of 'await using' throws the failures that nobody has seen", async () => {
  const error = await rejection((async () => {
    await using batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")));
    await batcher.push(1);
  })());
  assertInstanceOf(error, FlushError);
  assertEquals(error.failures.map(({ item }) => item), [1]);
});

Deno.test("AsyncBatcher at the end of 'await using' is silent where close() has given the account", async () => {
  await using batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")));
  await batcher.push(1);
  assertEquals((await batcher.close()).failures?.length, 1);
});

Deno.test("AsyncBatcher.abort() settles every promise and reports each item", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1, maxQueued: 2 });
  const inFlight = rejection(batcher.add(1));
  const queued = rejection(batcher.add(2));
  await batcher.push(3);
  const waiting = rejection(batcher.push(4));
  const waitingAdd = rejection(batcher.add(5));
  const flushed = rejection(batcher.flush());
  const ready = batcher.ready;
  const reason = new Error("enough");
  const account = await batcher.abort(reason);
  assertEquals(
    [account.added, account.saved, account.failed, account.unknown, account.unsent],
    [5, 0, 0, 1, 4],
  );
  assertInstanceOf(await inFlight, UnknownOutcomeError);
  assertStrictEquals((await inFlight as Error).cause, reason);
  for (const [promise, item] of [[queued, 2], [waiting, 4], [waitingAdd, 5]] as const) {
    const error = await promise;
    assertInstanceOf(error, UnsentError);
    assertEquals([error.item, error.cause], [item, reason]);
  }
  const failures = (await flushed as FlushError).failures;
  assertEquals(failures.map(({ item, outcome }) => [item, outcome]), [[3, "unsent"]]);
  await ready;
  assertStrictEquals(calls[0].batch.signal.reason, reason);
  assertEquals([batcher.size, batcher.inFlight, batcher.desiredSize], [0, 0, 0]);
});

Deno.test("AsyncBatcher.abort() never counts as saved what is answered afterwards", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  const added = rejection(batcher.add(1));
  const aborted = batcher.abort();
  calls[0].resolve();
  const { saved, unknown } = await aborted;
  assertEquals([saved, unknown], [0, 1]);
  await added;
});

Deno.test("AsyncBatcher.abort() from inside the send function makes its batch unknown", async () => {
  const batcher: AsyncBatcher<number> = new AsyncBatcher<number>(() => {
    void batcher.abort();
    return Promise.resolve();
  });
  await rejection(batcher.add(1));
  assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 0, unknown: 1, unsent: 0 });
});

Deno.test("AsyncBatcher.abort() during close() ends it", async () => {
  const { send } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1 });
  const added = [rejection(batcher.add(1)), rejection(batcher.add(2))];
  const closed = batcher.close();
  assert(await isPending(closed));
  void batcher.abort();
  assertEquals(await closed, { added: 2, saved: 0, failed: 0, unknown: 1, unsent: 1 });
  await Promise.all(added);
});

Deno.test("AsyncBatcher lets go of its signal when it is closed", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_: string, listener: unknown) => void listeners.delete(listener);
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), { signal });
  assertEquals(listeners.size, 1);
  await batcher.close();
  assertEquals(listeners.size, 0);
});

Deno.test("AsyncBatcher is aborted by its signal", async () => {
  const controller = new AbortController();
  const batcher = new AsyncBatcher<number>(() => Promise.resolve(), {
    signal: controller.signal,
    linger: 1000,
  });
  const added = rejection(batcher.add(1));
  const reason = new Error("shut down");
  controller.abort(reason);
  assertStrictEquals((await added as Error).cause, reason);
  assertEquals((await batcher.close()).unsent, 1);
  const late = new AsyncBatcher<number>(() => Promise.resolve(), { signal: controller.signal });
  const error = await assertRejects(() => late.add(1), UnsentError);
  assertEquals(error.message, "Cannot add an item as the batcher is aborted");
});

Deno.test("AsyncBatcher.add() withdraws a queued item when its signal is aborted", async () => {
  using _clock = stillClock();
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send);
  const controller = new AbortController();
  const kept = batcher.add(1);
  const withdrawn = rejection(batcher.add(2, { signal: controller.signal }));
  const reason = new Error("the client has gone");
  controller.abort(reason);
  assertStrictEquals(await withdrawn, reason);
  await settle();
  assertEquals(calls.map(({ items }) => items), [[1]]);
  calls[0].resolve();
  await kept;
  assertEquals(await batcher.close(), { added: 2, saved: 1, failed: 0, unknown: 0, unsent: 1 });
});

Deno.test("AsyncBatcher.add() withdraws what is still queued of the items that share a signal", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const added = [1, 2, 3].map((item) => batcher.add(item, { signal }));
  const third = rejection(added[2]);
  calls[0].resolve();
  await added[0];
  assertEquals(calls.map(({ items }) => items), [[1], [2]]);
  controller.abort();
  await third;
  calls[1].resolve();
  await added[1];
  assertEquals(await batcher.close(), { added: 3, saved: 2, failed: 0, unknown: 0, unsent: 1 });
});

Deno.test("AsyncBatcher.add() does not accept an item whose signal is aborted already", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve());
  const reason = new Error("too late");
  const error = await rejection(batcher.add(1, { signal: AbortSignal.abort(reason) }));
  assertStrictEquals(error, reason);
  assertEquals((await batcher.close()).added, 0);
});

Deno.test("AsyncBatcher.add() settles with the item's own outcome when its signal is aborted in flight", async () => {
  const { send, calls } = new ControlledSend<number, string>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  const controller = new AbortController();
  const added = batcher.add(1, { signal: controller.signal });
  controller.abort();
  calls[0].resolve(["saved"]);
  assertEquals(await added, "saved");
  await batcher.close();
});
