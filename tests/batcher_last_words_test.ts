// What a send function says of a batch after that was aborted.
import { assertEquals } from "@std/assert";
import { AsyncBatcher, OutcomeError, UnknownOutcomeError } from "../batcher.ts";
import { ControlledSend, fakeClock, rejection, settle } from "./_helpers.ts";

/** A send function that rejects as soon as it is aborted. */
function rejectsWhenAborted(errorOf: (reason: unknown) => unknown) {
  return async (_items: readonly string[], { signal }: { signal: AbortSignal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw errorOf(signal.reason);
  };
}

Deno.test("AsyncBatcher hears that nothing was saved from a send function that knows it at once", async () => {
  using clock = fakeClock();
  const refusal = new OutcomeError("failed", "It was not sent");
  const batcher = new AsyncBatcher<string>(rejectsWhenAborted(() => refusal), { timeout: 100 });
  const added = rejection(batcher.add("a"));
  clock.runMicrotasks();
  clock.tick(0);
  await clock.tickAsync(100);
  assertEquals(await added, refusal);
  assertEquals((await batcher.close()).failed, 1);
});

Deno.test("AsyncBatcher.abort() hears that nothing was saved", async () => {
  const refusal = new OutcomeError("failed", "It was not sent");
  const batcher = new AsyncBatcher<string>(rejectsWhenAborted(() => refusal));
  const added = rejection(batcher.add("a"));
  await settle();
  assertEquals((await batcher.abort()).failed, 1);
  assertEquals(await added, refusal);
});

Deno.test("AsyncBatcher takes no other error for an answer after a batch was aborted", async () => {
  // As `fetch` rejects: the request may have arrived
  const batcher = new AsyncBatcher<string>(rejectsWhenAborted((reason) => reason));
  const added = rejection(batcher.add("a"));
  await settle();
  assertEquals((await batcher.abort()).unknown, 1);
  assertEquals((await added as OutcomeError).outcome, "unknown");
});

Deno.test("AsyncBatcher with orderingKey lets nothing newer go where it is not known that a call is over", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher<string>(send, { orderingKey: (item) => item[0], timeout: 100 });
  const ends = Promise.allSettled(["a1", "a2", "b1"].map((item) => batcher.add(item)));
  await clock.tickAsync(0);
  const lost = Object.assign(new UnknownOutcomeError("Nobody knows"), { over: false });
  calls[0].reject(lost);
  await clock.tickAsync(1_000);
  assertEquals((await ends).map((end) => end.status), ["rejected", "rejected", "rejected"]);
  const outcomes = (await ends).map((end) => (end as PromiseRejectedResult).reason.outcome);
  assertEquals(outcomes, ["unknown", "unsent", "unknown"]); // b1 was in the batch of a1
  assertEquals(calls.map(({ items }) => items), [["a1", "b1"]]);
});
