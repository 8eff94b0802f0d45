import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { type Account, AsyncBatcher, type Outcome, OutcomeError } from "../batcher.ts";
import { settle } from "./_helpers.ts";
import { FickleSink, MOODS } from "./fixtures/fickle_sink.ts";

type Step =
  | { do: "add" | "push" | "add and withdraw"; times: number }
  | { do: "flush" | "close" | "abort" | "turn" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom("add" as const, "push" as const, "add and withdraw" as const),
        times: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("flush" as const, "close" as const) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const) }) },
  ),
  { maxLength: 25 },
);

const limits = fc.record({
  maxItems: fc.integer({ min: 1, max: 8 }),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
  maxQueued: fc.integer({ min: 1, max: 10 }),
  linger: fc.constantFrom(0, 1),
  retry: fc.constantFrom(false as const, { maxAttempts: 3, minDelay: 1 }, {
    maxAttempts: Infinity,
    minDelay: 1,
    maxDelay: 3,
    deadline: 10,
  }),
  idempotent: fc.boolean(),
  bisect: fc.boolean(),
  orderingKey: fc.constantFrom(undefined, (item: number) => item % 3),
});

function sum({ saved, failed, unknown, unsent }: Account): number {
  return saved + failed + unknown + unsent;
}

/** Whether each is followed by a higher one. */
function isSorted(items: readonly number[]): boolean {
  return items.every((item, i) => i === 0 || items[i - 1] < item);
}

Deno.test("AsyncBatcher settles every item exactly once and tells the truth, whatever is called and whatever the sink does", async () => {
  await fc.assert(
    fc.asyncProperty(
      limits,
      fc.array(fc.constantFrom(...MOODS), { minLength: 1, maxLength: 12 }),
      steps,
      fc.scheduler(),
      async (limits, moods, steps, s) => {
        const sink = new FickleSink(moods, {
          ...limits,
          wait: async (mood) => void await s.schedule(Promise.resolve(), mood),
        });
        const batcher = new AsyncBatcher(sink.send, { ...limits, timeout: 30 });
        /** How each item ended, by those who heard of it. */
        const ends = new Map<number, Outcome[]>();
        const pushed = new Set<number>();
        const waits: Promise<unknown>[] = [];
        let next = 0, closed = false;

        const end = (item: number, outcome: Outcome) => ends.get(item)!.push(outcome);
        const outcomeOf = (error: unknown) =>
          error instanceof OutcomeError || (error as { outcome?: Outcome } | null)?.outcome
            ? (error as OutcomeError).outcome
            : "failed";
        const collect = (failures: readonly { item: number; outcome: Outcome }[] = []) => {
          for (const { item, outcome } of failures) end(item, outcome);
        };
        const run = (step: Step) => {
          if (step.do === "flush") {
            waits.push(batcher.flush().catch(({ failures }) => collect(failures)));
          } else if (step.do === "close" || step.do === "abort") {
            closed = true;
            void batcher[step.do]();
          } else if (step.do !== "turn") {
            const item = next++;
            ends.set(item, []);
            if (step.do === "push") {
              pushed.add(item);
              waits.push(batcher.push(item).catch(() => end(item, "unsent")));
              return;
            }
            const controller = new AbortController();
            const { signal } = controller;
            batcher.add(item, { signal }).then(
              (result) => {
                assertEquals(result, result === undefined ? undefined : item);
                end(item, "saved");
              },
              (error) => end(item, error === signal.reason ? "unsent" : outcomeOf(error)),
            );
            if (step.do === "add and withdraw") controller.abort();
          }
        };
        let accepted = 0;
        for (const step of steps) {
          for (let i = 0; i < ("times" in step ? step.times : 1); i++) {
            if ("times" in step && !closed) accepted++;
            run(step);
          }
          if (step.do === "turn") await settle();
        }

        const closing = batcher.close();
        await s.waitFor(Promise.allSettled([closing, ...waits]));
        const account = await closing;
        collect(account.failures);
        await settle();

        assertEquals(account.added, accepted);
        assertEquals(sum(account), account.added);
        assertEquals([batcher.size, batcher.inFlight], [0, 0]);
        assert(sink.mostInFlight <= limits.maxInFlight, `${sink.mostInFlight} were in flight`);
        assertEquals(new Set(sink.sent).size, sink.sent.length, "an item was in two batches");
        if (limits.maxInFlight === 1 && limits.orderingKey === undefined) {
          assert(isSorted(sink.sent));
        }
        if (limits.orderingKey !== undefined) {
          for (const key of [0, 1, 2]) assert(isSorted(sink.sent.filter((one) => one % 3 === key)));
        }
        for (const [item, outcomes] of ends) {
          // Of a pushed item that was saved nobody hears.
          if (pushed.has(item) && outcomes.length === 0) outcomes.push("saved");
          assertEquals(outcomes.length, 1, `item ${item} ended as ${outcomes}`);
          const times = sink.there.get(item) ?? 0;
          const allowed = { saved: [1], failed: [0], unsent: [0], unknown: [0, 1] }[outcomes[0]];
          assert(allowed.includes(times), `item ${item} is ${outcomes}, and there ${times} times`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("AsyncBatcher gives each item its own result, in whatever order batches are answered", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 60 }),
      limits,
      async (s, n, limits) => {
        const batcher = new AsyncBatcher<number, string>(async (items) => {
          await s.schedule(Promise.resolve());
          return items.map((item) => `result of ${item}`);
        }, limits);
        const added = Array.from({ length: n }, (_, i) => batcher.add(i));
        const results = await s.waitFor(Promise.all(added));
        assertEquals(results, added.map((_, i) => `result of ${i}`));
        assertEquals((await batcher.close()).saved, n);
      },
    ),
    { numRuns: 200 },
  );
});
