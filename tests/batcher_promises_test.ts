/**
 * The promises of docs/batcher.md, one by one, each against random schedules. More of them, and
 * others: `BURST_RUNS=50000 BURST_SEED=1 deno test -A tests/batcher_promises_test.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { AsyncBatcher } from "../batcher.ts";
import { type Observation, observe, schedules, sizeOf } from "./_schedule.ts";

const RUNS = setting("BURST_RUNS") ?? 100;
const SEED = setting("BURST_SEED") ?? Date.now() % 2 ** 31;

function setting(name: string): number | undefined {
  const isAllowed = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  const value = isAllowed ? Deno.env.get(name) : undefined;
  return value === undefined ? undefined : Number(value);
}

/** Each promise, as what must hold of all that can be seen. */
const PROMISES: Record<string, (seen: Observation) => void> = {
  "settles every item exactly once, and counts it": ({ account, ends, pushed, batcher }) => {
    const { added, saved, failed, unknown, unsent } = account;
    assertEquals(saved + failed + unknown + unsent, added);
    assertEquals([batcher.size, batcher.inFlight], [0, 0]);
    const counts = { saved: 0, failed: 0, unknown: 0, unsent: 0 };
    for (const [item, outcomes] of ends) {
      const isQuiet = pushed.has(item) && outcomes.length === 0;
      assertEquals(outcomes.length, isQuiet ? 0 : 1, `item ${item} ended as ${outcomes}`);
      counts[isQuiet ? "saved" : outcomes[0]]++;
    }
    // Those that were not accepted are unsent as well.
    counts.unsent -= ends.size - added;
    assertEquals(counts, { saved, failed, unknown, unsent });
  },

  "calls saved what is there, and failed or unsent what is not": ({ ends, sink }) => {
    for (const [item, [outcome = "saved"]] of ends) {
      const times = sink.there.get(item) ?? 0;
      const allowed = { saved: [1], failed: [0], unsent: [0], unknown: [0, 1] }[outcome];
      assert(allowed.includes(times), `item ${item} is ${outcome}, and there ${times} times`);
    }
  },

  "tells onFailure of every item that was not saved, once": ({ told, account, ends }) => {
    assertEquals(told.length, account.added - account.saved);
    for (const { item, outcome } of told) assertEquals([outcome], ends.get(item));
  },

  "sends what has a key in the order of adding, and lets nothing older land after it": (
    { options: { orderingKey }, sink },
  ) => {
    if (orderingKey === undefined) return;
    const last = new Map<unknown, number>();
    for (const item of sink.landed) {
      const key = orderingKey(item);
      assert(item >= (last.get(key) ?? -1), `${item} landed after ${last.get(key)}`);
      last.set(key, item);
    }
  },

  "has one item of a key in a batch and on its way": ({ options: { orderingKey }, sink }) => {
    if (orderingKey === undefined) return;
    for (const { items } of sink.calls) {
      assertEquals(new Set(items.map(orderingKey)).size, items.length, `a batch of ${items}`);
    }
  },

  "sends first what came first": ({ options: { orderingKey, groupBy = () => 0 }, sink }) => {
    if (orderingKey !== undefined) return;
    const last = new Map<unknown, number>();
    for (const { items } of sink.calls) {
      for (const item of items.filter((item) => isFirst(item, items, sink))) {
        assert(item > (last.get(groupBy(item)) ?? -1), `${item} after ${last.get(groupBy(item))}`);
        last.set(groupBy(item), item);
      }
    }
  },

  "keeps the bounds of batches and of slots": ({ options, sink }) => {
    const { maxItems, maxBytes, maxInFlight, groupBy = () => 0 } = options;
    assert(sink.mostInFlight <= maxInFlight!, `${sink.mostInFlight} were in flight`);
    for (const { items } of sink.calls) {
      assert(items.length <= maxItems!);
      assert(items.reduce((sum, item) => sum + sizeOf(item), 0) <= maxBytes!);
      assertEquals(new Set(items.map(groupBy)).size, 1, `a batch of ${items}`);
      assertEquals(new Set(items).size, items.length);
    }
  },

  "tells the sink how often it has sent an item, and whether it may be there": ({ sink }) => {
    const attempts = new Map<number, number>();
    const doubtful = new Set<number>();
    for (const { items, batch, at } of sink.calls) {
      for (const before of sink.calls.slice(0, at)) {
        for (const item of before.unanswered) doubtful.add(item);
      }
      for (const item of items) attempts.set(item, (attempts.get(item) ?? 0) + 1);
      assertEquals(batch.attempt, Math.max(...items.map((item) => attempts.get(item)!)));
      const unanswered = items.filter((item) => doubtful.has(item));
      assertEquals(batch.unanswered, unanswered.length > 0);
      if (batch.unanswered) {
        const isNew = items.some((item) => attempts.get(item) === 1);
        assert(!isNew, `${items} has new items beside ${unanswered}`);
      }
    }
  },

  "sends an item no more often than retry allows": ({ options: { retry, bisect }, sink }) => {
    if (bisect || retry !== false && retry?.maxAttempts === Infinity) return;
    const times = new Map<number, number>();
    for (const item of sink.calls.flatMap(({ items }) => items)) {
      times.set(item, (times.get(item) ?? 0) + 1);
    }
    for (const n of times.values()) assert(n <= (retry ? retry.maxAttempts! : 1));
  },

  "sends again what is unknown only if it is idempotent": ({ options: { idempotent }, sink }) => {
    if (!idempotent) assert(sink.calls.every(({ batch }) => !batch.unanswered));
  },

  "sends nothing after abort()": ({ callsAtAbort, sink }) => {
    if (callsAtAbort !== undefined) assertEquals(sink.calls.length, callsAtAbort);
  },
};

function isFirst(item: number, items: readonly number[], { calls }: Observation["sink"]): boolean {
  return calls.find((call) => call.items.includes(item))!.items === items;
}

if (RUNS > 100) console.log(`${RUNS} schedules for each promise, seed ${SEED}`);

for (const [promise, check] of Object.entries(PROMISES)) {
  Deno.test(`AsyncBatcher ${promise}`, async () => {
    await fc.assert(
      fc.asyncProperty(schedules, fc.scheduler(), async (schedule, s) => {
        check(await observe(schedule, s));
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
}

Deno.test("AsyncBatcher gives each item its own result, in whatever order batches are answered", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 60 }),
      schedules,
      async (s, n, { options: { maxItems, maxInFlight, groupBy } }) => {
        const batcher = new AsyncBatcher<number, string>(async (items) => {
          await s.schedule(Promise.resolve());
          return items.map((item) => `result of ${item}`);
        }, { maxItems, maxInFlight, groupBy });
        const added = Array.from({ length: n }, (_, i) => batcher.add(i));
        const results = await s.waitFor(Promise.all(added));
        assertEquals(results, added.map((_, i) => `result of ${i}`));
        assertEquals((await batcher.close()).saved, n);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
});
