import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { AsyncBatcher, type BatchReport, FlushError, UnknownOutcomeError } from "../batcher.ts";
import { ControlledSend, fakeClock, isPending, rejection, settle, stillClock } from "./_helpers.ts";

Deno.test("AsyncBatcher.add() gives every caller its own result, after the batch has settled", async () => {
  const { send, calls } = new ControlledSend<string, number>();
  await using batcher = new AsyncBatcher(send);
  const added = ["one", "three"].map((word) => batcher.add(word));
  const all = Promise.all(added);
  assert(await isPending(all));
  calls[0].resolve([3, 5]);
  assertEquals(await all, [3, 5]);
});

Deno.test("AsyncBatcher.add() rejects only the item at whose index an Error is", async () => {
  const refused = new Error("two is taken");
  await using batcher = new AsyncBatcher<number, string>((items) =>
    Promise.resolve(items.map((item) => item === 2 ? refused : `saved ${item}`))
  );
  const [one, two, three] = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)));
  assertEquals(one, { status: "fulfilled", value: "saved 1" });
  assertStrictEquals((two as PromiseRejectedResult).reason, refused);
  assertEquals(three, { status: "fulfilled", value: "saved 3" });
  const account = await batcher.close();
  assertEquals(account, { added: 3, saved: 2, failed: 1, unknown: 0, unsent: 0 });
});

Deno.test("AsyncBatcher.add() rejects every item of a batch with what the send function rejected with", async () => {
  const refused = new Error("no");
  await using batcher = new AsyncBatcher<number>(() => Promise.reject(refused));
  const results = await Promise.allSettled([1, 2].map((item) => batcher.add(item)));
  for (const result of results) {
    assertStrictEquals((result as PromiseRejectedResult).reason, refused);
  }
});

Deno.test("AsyncBatcher.add() gives every caller its own result, whatever else is in the batch", async () => {
  const { send, calls } = new ControlledSend<string, number>();
  await using batcher = new AsyncBatcher(send, { maxInFlight: 1 });
  const first = batcher.add("first");
  await settle();
  const controller = new AbortController();
  const { signal } = controller;
  const one = batcher.add("one");
  const three = batcher.add("three");
  const withdrawn = rejection(batcher.add("withdrawn", { signal }));
  batcher.push("pushed");
  const flushed = batcher.flush();
  const eleven = batcher.add("eleven");
  controller.abort();
  calls[0].resolve([5]);
  await settle();
  assertEquals(calls[1].items, ["one", "three", "pushed", "eleven"]);
  calls[1].resolve([3, 5, 6, 11]);
  assertEquals(await Promise.all([first, one, three, eleven]), [5, 3, 5, 11]);
  assertStrictEquals(await withdrawn, signal.reason);
  await flushed;
});

Deno.test("AsyncBatcher.add() settles with the item's own end, at the first attempt or at the second", async () => {
  using _clock = stillClock();
  const refused = Object.assign(new Error("taken"), { bisectable: true });
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const { send, calls } = new ControlledSend<string, string | Error>();
  await using batcher = new AsyncBatcher(send, { retry: { minDelay: 0 } });
  const [saved, taken, later, never] = ["saved", "taken", "later", "never"].map((item) =>
    batcher.add(item)
  );
  const ends = Promise.allSettled([saved, taken, later, never]);
  await settle();
  calls[0].resolve(["saved at once", refused, busy, busy]);
  assertEquals(await saved, "saved at once");
  assertStrictEquals(await rejection(taken), refused);
  assert(await isPending(later));
  while (calls.length < 2) await settle();
  calls[1].resolve(["saved later", refused]);
  assertEquals((await ends).map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
    "rejected",
  ]);
  assertEquals(await later, "saved later");
  assertStrictEquals(await rejection(never), refused);
});

Deno.test("AsyncBatcher takes 0, '', false, null and undefined for items", async () => {
  const items = [0, "", false, null, undefined];
  const seen: unknown[] = [];
  const batcher = new AsyncBatcher<unknown, unknown>((items) => {
    seen.push(...items);
    return Promise.resolve(items);
  });
  const results = await Promise.all(items.map((item) => batcher.add(item)));
  for (const item of items) await batcher.push(item);
  await batcher.flush();
  assertEquals(results, items);
  assertEquals(seen, [...items, ...items]);
  assertEquals((await batcher.close()).saved, 10);
});

Deno.test("AsyncBatcher goes on after a batch that failed", async () => {
  const { send, calls } = new ControlledSend<number>();
  await using batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 1 });
  const [first, second] = [batcher.add(1), batcher.add(2)];
  calls[0].reject(new Error("no"));
  await rejection(first);
  calls[1].resolve();
  await second;
});

Deno.test("AsyncBatcher.flush() rejects with the failures of pushed items, each once", async () => {
  const refused = new Error("odd");
  const batcher = new AsyncBatcher<number>((items) =>
    Promise.resolve(items.map((item) => item % 2 === 1 ? refused : undefined) as Error[])
  );
  for (const item of [1, 2, 3]) await batcher.push(item);
  const error = await rejection(batcher.flush());
  assertInstanceOf(error, FlushError);
  assertInstanceOf(error, AggregateError);
  assertEquals(error.message, "Cannot save 2 pushed items (2 failed); the first: odd");
  assertEquals(error.failures, [
    { item: 1, outcome: "failed", error: refused, attempts: 1 },
    { item: 3, outcome: "failed", error: refused, attempts: 1 },
  ]);
  await batcher.flush();
  assertEquals(await batcher.close(), { added: 3, saved: 1, failed: 2, unknown: 0, unsent: 0 });
});

Deno.test("AsyncBatcher.flush() says nothing of an added item that failed, as its caller knows", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")));
  const added = rejection(batcher.add(1));
  await batcher.flush();
  assertInstanceOf(await added, Error);
  assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 1, unknown: 0, unsent: 0 });
});

Deno.test("AsyncBatcher.flush() waits for what was added before it, and no longer", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1, maxInFlight: 2 });
  batcher.push(1);
  batcher.push(2);
  const flushed = batcher.flush();
  batcher.push(3);
  calls[1].resolve();
  assert(await isPending(flushed));
  assertEquals(calls.length, 3);
  calls[0].resolve();
  await flushed;
  assertEquals(batcher.inFlight, 1);
  calls[2].resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher.flush() of an idle batcher resolves", async () => {
  await using batcher = new AsyncBatcher<number>(() => Promise.resolve());
  await batcher.flush();
});

Deno.test("AsyncBatcher counts a batch that runs into its timeout as unknown, never as saved", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { timeout: 10 });
  const error = await rejection(batcher.add(1));
  assertInstanceOf(error, UnknownOutcomeError);
  assertEquals(
    error.message,
    "Cannot tell whether a batch of 1 was saved as no answer came within 10 ms",
  );
  assertEquals((calls[0].batch.signal.reason as DOMException).name, "TimeoutError");
  calls[0].resolve();
  await settle();
  assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 0, unknown: 1, unsent: 0 });
});

Deno.test("AsyncBatcher gives each of several calls its own time", async () => {
  using clock = fakeClock(["setTimeout", "clearTimeout", "performance"]);
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { timeout: 100, maxItems: 1 });
  const ends: string[] = [];
  const add = (item: number) =>
    batcher.add(item).then(() => ends.push(`saved ${item}`), () => ends.push(`timed out ${item}`));
  for (const item of [1, 2, 3]) {
    add(item);
    await settle();
    clock.tick(40);
  }
  await settle();
  calls[1].resolve();
  await settle();
  assertEquals(ends, ["timed out 1", "saved 2"]);
  clock.tick(59);
  await settle();
  assertEquals(ends, ["timed out 1", "saved 2"]);
  clock.tick(1);
  await settle();
  assertEquals(ends, ["timed out 1", "saved 2", "timed out 3"]);
  assertEquals(clock.countTimers(), 0);
  await batcher.close();
});

Deno.test("AsyncBatcher frees the slot of a batch that never ends", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { timeout: 10, maxInFlight: 1, maxItems: 1 });
  const first = rejection(batcher.add(1));
  const second = batcher.add(2);
  await first;
  calls[1].resolve();
  await second;
  assertEquals(await batcher.close(), { added: 2, saved: 1, failed: 0, unknown: 1, unsent: 0 });
});

Deno.test("AsyncBatcher counts an error whose outcome is 'unknown' as unknown", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new UnknownOutcomeError("broken")));
  await rejection(batcher.add(1));
  assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 0, unknown: 1, unsent: 0 });
});

Deno.test("AsyncBatcher gives every batch an id of its own, and counts its attempts from 1", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, { maxItems: 1 });
  batcher.push(1);
  batcher.push(2);
  assertEquals(calls.map(({ batch }) => batch.attempt), [1, 1]);
  assertEquals(new Set(calls.map(({ batch }) => batch.id)).size, 2);
  for (const call of calls) call.resolve();
  await batcher.close();
});

Deno.test("AsyncBatcher reports every batch to onBatch", async () => {
  const reports: BatchReport[] = [];
  const refused = new Error("no");
  const batcher = new AsyncBatcher<string, string>(
    (items) => {
      if (items.includes("bad")) return Promise.reject(refused);
      return Promise.resolve(items.map((item) => item === "taken" ? refused : item));
    },
    {
      maxItems: 2,
      linger: 60_000,
      sizeOf: (item) => item.length,
      onBatch: (report) => void reports.push(report),
    },
  );
  for (const item of ["a", "bc", "d", "taken", "bad"]) await batcher.push(item);
  await batcher.close();
  assertEquals(
    reports.map(({ size, bytes, attempt, outcome, retried }) => [
      size,
      bytes,
      attempt,
      outcome,
      retried,
    ]),
    [[2, 3, 1, "saved", false], [2, 6, 1, "partial", false], [1, 3, 1, "failed", false]],
  );
  assertStrictEquals(reports[2].error, refused);
  assert(reports.every(({ waited, duration }) => waited >= 0 && duration >= 0));
});
