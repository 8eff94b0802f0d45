import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { type Account, AsyncBatcher, type Send, UnknownOutcomeError } from "../batcher.ts";
import { settle } from "./_helpers.ts";

type Answer = "nothing" | "results" | "refuse one" | "refuse" | "throw" | "short" | "lose" | "hang";
type Step =
  | { do: "add" | "push" | "add and withdraw"; times: number }
  | { do: "flush" | "close" | "abort" | "turn" };

const answers = fc.array(
  fc.constantFrom<Answer>(
    "nothing",
    "results",
    "refuse one",
    "refuse",
    "throw",
    "short",
    "lose",
    "hang",
  ),
  { minLength: 1, maxLength: 12 },
);

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
  maxItems: fc.integer({ min: 1, max: 5 }),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
  maxQueued: fc.integer({ min: 1, max: 10 }),
  maxDelay: fc.constantFrom(0, 1),
  retry: fc.constantFrom(false as const, { maxAttempts: 2, minDelay: 1 }),
  idempotent: fc.boolean(),
});

function sum({ saved, failed, unknown, unsent }: Account): number {
  return saved + failed + unknown + unsent;
}

Deno.test("AsyncBatcher settles every item exactly once, whatever is called and whatever the send function does", async () => {
  await fc.assert(
    fc.asyncProperty(limits, answers, steps, fc.scheduler(), async (limits, answers, steps, s) => {
      const sent: number[] = [];
      let inFlight = 0, most = 0, calls = 0;
      const send: Send<number, number> = async (items, { attempt, signal }) => {
        const answer = answers[calls++ % answers.length];
        if (answer === "throw") throw new TypeError("thrown");
        if (attempt === 1) sent.push(...items);
        most = Math.max(most, ++inFlight);
        try {
          if (answer === "hang") {
            await new Promise((_, reject) => {
              if (signal.aborted) reject(signal.reason);
              signal.addEventListener("abort", () => reject(signal.reason));
            });
          }
          await s.schedule(Promise.resolve(), answer);
          if (answer === "refuse") throw new Error("refused");
          if (answer === "lose") throw new UnknownOutcomeError("lost");
          if (answer === "nothing") return;
          if (answer === "short") return [];
          return items.map((item, i) =>
            answer === "refuse one" && i === 0 ? new Error("refused") : item
          );
        } finally {
          inFlight--;
        }
      };
      const batcher = new AsyncBatcher(send, { ...limits, timeout: 30 });
      const settled = new Map<number, string[]>();
      const flushes: Promise<unknown>[] = [];
      const pushes: Promise<unknown>[] = [];
      const reported = new Map<number, number>();
      let next = 0, accepted = 0, closed = false;

      const note = (item: number, how: string) => settled.get(item)!.push(how);
      const add = (signal?: AbortSignal) => {
        const item = next++;
        settled.set(item, []);
        batcher.add(item, { signal }).then(
          () => note(item, "fulfilled"),
          () => note(item, "rejected"),
        );
        if (!closed) accepted++;
      };
      const collect = (failures: readonly { item: number }[]) => {
        for (const { item } of failures) reported.set(item, (reported.get(item) ?? 0) + 1);
      };

      for (const step of steps) {
        if ("times" in step) {
          for (let i = 0; i < step.times; i++) {
            if (step.do === "push") {
              const item = next++;
              pushes.push(batcher.push(item).catch(() => collect([{ item }])));
              if (!closed) accepted++;
              else reported.set(item, 0);
            } else if (step.do === "add") add();
            else {
              const controller = new AbortController();
              add(controller.signal);
              controller.abort();
            }
          }
        } else if (step.do === "turn") await settle();
        else if (step.do === "flush") {
          flushes.push(batcher.flush().catch((error) => collect(error.failures)));
        } else {
          closed = true;
          void batcher[step.do]();
        }
      }

      const end = batcher.close();
      await s.waitFor(Promise.allSettled([end, ...flushes, ...pushes]));
      const account = await end;
      collect(account.failures ?? []);
      await settle();

      assertEquals(account.added, accepted);
      assertEquals(sum(account), account.added);
      for (const [item, ends] of settled) {
        assertEquals(ends.length, 1, `item ${item} settled ${ends.length} times`);
      }
      for (const [item, times] of reported) {
        assert(times <= 1, `the failure of item ${item} was reported ${times} times`);
      }
      assert(most <= limits.maxInFlight || answers.includes("hang"), `${most} were in flight`);
      assertEquals(new Set(sent).size, sent.length, "an item was in two batches");
      if (limits.maxInFlight === 1) assertEquals(sent, [...sent].sort((a, b) => a - b));
      assertEquals([batcher.size, batcher.inFlight], [0, 0]);
    }),
    { numRuns: 300 },
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
