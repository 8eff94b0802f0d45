import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { AsyncBatcher, type BatchReport, type Send, UnknownOutcomeError } from "../batcher.ts";
import { ControlledSend, fakeClock, isPending, rejection, settle, stillClock } from "./_helpers.ts";

Deno.test("AsyncBatcher sends a batch again, with the same id, as often as retry allows", async () => {
  const seen: [string, number][] = [];
  const batcher = new AsyncBatcher<number>((_, { id, attempt }) => {
    seen.push([id, attempt]);
    return attempt < 3 ? Promise.reject(new Error("busy")) : Promise.resolve();
  }, { retry: { maxAttempts: 3, minDelay: 1 } });
  await batcher.add(1);
  await batcher.add(2);
  assertEquals(seen.map(([, attempt]) => attempt), [1, 2, 3, 1, 2, 3]);
  assertEquals(new Set(seen.map(([id]) => id)).size, 2);
  assertEquals(await batcher.close(), { added: 2, saved: 2, failed: 0, unknown: 0, unsent: 0 });
});

Deno.test("AsyncBatcher does not send a batch again whose outcome is unknown, unless it is idempotent", async () => {
  for (const idempotent of [false, true]) {
    let calls = 0;
    const batcher = new AsyncBatcher<number>(
      () => ++calls === 1 ? Promise.reject(new UnknownOutcomeError("broken")) : Promise.resolve(),
      { retry: { minDelay: 1 }, idempotent },
    );
    await batcher.add(1).catch(() => {});
    const { saved, unknown } = await batcher.close();
    assertEquals([calls, saved, unknown], idempotent ? [2, 1, 0] : [1, 0, 1]);
  }
});

Deno.test("AsyncBatcher does not call a batch failed of which an earlier attempt was never answered", async () => {
  let calls = 0;
  const batcher = new AsyncBatcher<number>(
    () => Promise.reject(++calls === 1 ? new UnknownOutcomeError("broken") : new Error("taken")),
    { retry: { minDelay: 1, maxAttempts: 2 }, idempotent: true },
  );
  const error = await rejection(batcher.add(1));
  assertInstanceOf(error, UnknownOutcomeError);
  assertEquals((error.cause as Error).message, "taken");
  assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 0, unknown: 1, unsent: 0 });
});

function passing(message: string): Error {
  return Object.assign(new Error(message), { retryable: true });
}

function lost(message: string): Error {
  return Object.assign(passing(message), { outcome: "unknown" });
}

Deno.test("AsyncBatcher calls the send function again on the second outage too", async () => {
  let calls = 0;
  const batcher = new AsyncBatcher<number>(
    () => ++calls % 3 === 0 ? Promise.resolve() : Promise.reject(new Error("down")),
    { retry: { minDelay: 0 } },
  );
  await batcher.add(1);
  assertEquals(calls, 3);
  await batcher.add(2);
  assertEquals(calls, 6);
  await batcher.close();
});

Deno.test("AsyncBatcher gives up at the deadline, with the last error", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  let calls = 0;
  const batcher = new AsyncBatcher<number>(
    () => Promise.reject(new Error(`down ${++calls}`)),
    { retry: { maxAttempts: Infinity, minDelay: 1_000, maxDelay: 1_000, deadline: 10_000 } },
  );
  const ended = rejection(batcher.add(1));
  await settle();
  let last = calls;
  for (let ms = 0; ms < 10_000; ms += 100) {
    last = calls;
    await clock.tickAsync(100);
  }
  assert(last > 10, `${last} attempts`);
  await clock.tickAsync(60_000);
  assertEquals((await ended as Error).message, `down ${calls}`);
  await batcher.close();
});

Deno.test("AsyncBatcher sends only those items again whose error says that another time may help", async () => {
  using _clock = stillClock();
  const { send, calls } = new ControlledSend<string, string>();
  const reports: BatchReport[] = [];
  const batcher = new AsyncBatcher(send, {
    retry: { minDelay: 0 },
    onBatch: (report) => reports.push(report),
  });
  const refused = new Error("taken");
  const added = ["a", "b", "c", "d"].map((item) => batcher.add(item));
  const ends = Promise.allSettled(added);
  await settle();
  calls[0].resolve(["A", passing("busy"), refused, passing("busy")]);
  while (calls.length < 2) await settle();
  assertEquals(calls[1].items, ["b", "d"]);
  assertEquals(calls[1].batch.attempt, 2);
  // With other items it is another batch, as a sink may keep what it has done by id.
  assert(calls[1].batch.id !== calls[0].batch.id);
  // What is decided is told at once.
  assertEquals(await added[0], "A");
  assertStrictEquals(await rejection(added[2]), refused);
  assert(await isPending(added[1]));
  calls[1].resolve(["B", refused]);
  assertEquals(await ends, [
    { status: "fulfilled", value: "A" },
    { status: "fulfilled", value: "B" },
    { status: "rejected", reason: refused },
    { status: "rejected", reason: refused },
  ]);
  assertEquals(
    reports.map(({ outcome, retried, size, splitFrom }) => ({ outcome, retried, size, splitFrom })),
    [
      { outcome: "partial", retried: true, size: 4, splitFrom: undefined },
      { outcome: "partial", retried: false, size: 2, splitFrom: undefined },
    ],
  );
  assertEquals((await batcher.close()).failed, 2);
});

Deno.test("AsyncBatcher sends a single item again whose outcome is unknown, only if it is idempotent", async () => {
  for (const idempotent of [false, true]) {
    const sizes: number[] = [];
    const send: Send<number> = (items, { attempt }) => {
      sizes.push(items.length);
      return Promise.resolve(
        items.map((item) => item === 1 && attempt === 1 ? lost("gone") : undefined) as Error[],
      );
    };
    const batcher = new AsyncBatcher(send, { idempotent, retry: { minDelay: 0 } });
    const ends = await Promise.allSettled([batcher.add(0), batcher.add(1)]);
    assertEquals(sizes, idempotent ? [2, 1] : [2]);
    assertEquals(ends.map(({ status }) => status), [
      "fulfilled",
      idempotent ? "fulfilled" : "rejected",
    ]);
    assertEquals((await batcher.close()).unknown, idempotent ? 0 : 1);
  }
});

Deno.test("AsyncBatcher does not call an item failed of which an earlier attempt was never answered", async () => {
  const down = passing("down");
  const send: Send<number> = (items, { attempt }) =>
    Promise.resolve(items.map(() => attempt === 1 ? lost("gone") : down));
  const batcher = new AsyncBatcher(send, {
    idempotent: true,
    retry: { minDelay: 0, maxAttempts: 3 },
  });
  const error = await rejection(batcher.add(1));
  assertInstanceOf(error, UnknownOutcomeError);
  assertStrictEquals(error.cause, down);
  assertEquals((await batcher.close()).unknown, 1);
});

Deno.test("AsyncBatcher.abort() ends the retries of single items, and keeps what is known", async () => {
  const { send, calls } = new ControlledSend<string, string>();
  const batcher = new AsyncBatcher(send, { retry: { minDelay: 1_000_000, maxDelay: 1_000_000 } });
  const busy = passing("busy");
  const ends = Promise.allSettled(["a", "b"].map((item) => batcher.add(item)));
  await settle();
  calls[0].resolve(["A", busy]);
  await settle();
  assertEquals(await batcher.abort(), { added: 2, saved: 1, failed: 1, unknown: 0, unsent: 0 });
  assertEquals(await ends, [
    { status: "fulfilled", value: "A" },
    { status: "rejected", reason: busy },
  ]);
});
