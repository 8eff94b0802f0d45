import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { AsyncBatcher, type Failure, FlushError, UnsentError } from "../batcher.ts";
import { ControlledSend, isPending, rejection, settle } from "./_helpers.ts";

Deno.test("AsyncBatcher tells onFailure of each item that was not saved", async () => {
  const told: Failure<string>[] = [];
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const no = new Error("no");
  const batcher = new AsyncBatcher<string>(
    (items) => Promise.resolve(items.map((item) => ({ a: no, b: busy })[item] as Error)),
    { retry: { maxAttempts: 3, minDelay: 0 }, onFailure: (failure) => told.push(failure) },
  );
  const controller = new AbortController();
  const withdrawn = rejection(batcher.add("d", { signal: controller.signal }));
  controller.abort();
  const added = rejection(batcher.add("a"));
  for (const item of ["b", "c"]) await batcher.push(item);
  await batcher.flush().catch(() => {});
  assertEquals(told.map(({ item, outcome, error, attempts }) => [item, outcome, error, attempts]), [
    ["d", "unsent", controller.signal.reason, 0],
    ["a", "failed", no, 1],
    ["b", "failed", busy, 3],
  ]);
  await Promise.all([added, withdrawn]);
  assertEquals((await batcher.close()).saved, 1);
});

Deno.test("AsyncBatcher survives an onFailure hook that throws, adds and aborts", async () => {
  const { error } = console;
  console.error = () => {};
  try {
    const batcher: AsyncBatcher<number> = new AsyncBatcher<number>(
      (items) =>
        Promise.resolve(items.map((item) => item < 2 ? new Error("no") : undefined) as Error[]),
      {
        onFailure({ item }) {
          batcher.push(item + 2).catch(() => {});
          if (item === 1) void batcher.abort();
          throw new Error("hook");
        },
      },
    );
    for (const item of [0, 1]) batcher.push(item);
    await settle();
    const { added, failed, unsent, unknown } = await batcher.close();
    assertEquals([added, failed, unsent + unknown], [4, 2, 2]);
  } finally {
    console.error = error;
  }
});

Deno.test("AsyncBatcher keeps no more failures than maxFailures, and counts the others", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")), {
    maxFailures: 3,
  });
  for (let i = 0; i < 2_000; i++) await batcher.push(i);
  const error = await rejection(batcher.flush());
  assertInstanceOf(error, FlushError);
  assertEquals(error.failures.map(({ item }) => item), [0, 1, 2]);
  assertEquals(error.omitted, 1_997);
  assertEquals(
    error.message,
    "Cannot save 2000 pushed items (3 failed, 1997 not listed); the first: no",
  );
  for (let i = 0; i < 5; i++) await batcher.push(i);
  const { failed, failures = [], omitted } = await batcher.close();
  assertEquals([failed, failures.length, omitted], [2_005, 3, 2]);
});

Deno.test("AsyncBatcher with failFast ends a loop over a broken sink after one batch", async () => {
  let calls = 0;
  const no = new Error("no");
  const batcher = new AsyncBatcher<number>(() => (calls++, Promise.reject(no)), {
    maxItems: 10,
    maxInFlight: 1,
    linger: 60_000,
    failFast: true,
  });
  let pushed = 0;
  const error = await rejection((async () => {
    for (; pushed < 20_000; pushed++) await batcher.push(pushed);
  })());
  assertInstanceOf(error, UnsentError);
  assertEquals(
    error.message,
    "Cannot add an item as the batcher has stopped at an item that was not saved",
  );
  assertStrictEquals(error.cause, no);
  assertEquals(calls, 1);
  assert(pushed <= 30, `${pushed} items were pushed`);
  assertEquals([batcher.size, batcher.desiredSize], [0, 0]);
  await batcher.ready;
  const { added, failed, unsent } = await batcher.close();
  assertEquals([failed, unsent], [10, added - 10]);
});

Deno.test("AsyncBatcher with failFast lets what is out come to its end", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 2, failFast: true });
  const added = batcher.add(0);
  for (const item of [1, 2, 3]) batcher.push(item);
  calls[1].reject(new Error("no"));
  await settle();
  assertEquals(calls.length, 2);
  assert(await isPending(added));
  calls[0].resolve();
  await added;
  assertEquals(calls[0].batch.signal.aborted, false);
  const { saved, failed, unsent } = await batcher.close();
  assertEquals([saved, failed, unsent], [1, 1, 2]);
});

Deno.test("AsyncBatcher with failFast does not mind an added item that fails", async () => {
  const batcher = new AsyncBatcher<number>(
    (items) => items[0] === 1 ? Promise.reject(new Error("no")) : Promise.resolve(),
    { maxItems: 1, failFast: true },
  );
  await rejection(batcher.add(1));
  await batcher.push(2);
  assertEquals((await batcher.close()).saved, 1);
});

Deno.test("AsyncBatcher.writable with failFast errors when an item is not saved", async () => {
  const no = new Error("no");
  const batcher = new AsyncBatcher<number>(() => Promise.reject(no), {
    maxItems: 1,
    failFast: true,
  });
  const writer = batcher.writable.getWriter();
  const closed = rejection(writer.closed);
  await writer.write(1).catch(() => {});
  assertStrictEquals(await closed, no);
  assertEquals((await batcher.close()).failed, 1);
});

Deno.test("AsyncBatcher.writable of a batcher that has stopped is errored from the start", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.resolve());
  const reason = new Error("enough");
  await batcher.abort(reason);
  assertStrictEquals(await rejection(batcher.writable.getWriter().closed), reason);
});
