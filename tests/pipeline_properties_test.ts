import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import type { Sink } from "../batcher.ts";
import { PoolClosedError } from "../pool.ts";
import { type ItemOutcome, PipelineError, runPipeline } from "../pipeline.ts";

/** How a call of something that may fail goes. */
const MOODS = [
  "work",
  "refuse one",
  "refuse all as one is bad",
  "lose",
  "lose late",
  "die",
] as const;
type Mood = typeof MOODS[number];

interface Item {
  readonly id: number;
  /** Written in two ways, as 7 and 07. */
  readonly key: string;
  readonly compute: "work" | "nothing" | "throw" | "throw at once" | "pool is dead";
}

interface Row {
  readonly id: number;
  readonly key: number;
}

const items: fc.Arbitrary<readonly Item[]> = fc.array(
  fc.record({
    key: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom("1", "01", "2", "3", "03", "4", "5", "6") },
      { weight: 1, arbitrary: fc.constantFrom("throw", "refused") },
    ),
    compute: fc.oneof(
      { weight: 12, arbitrary: fc.constant("work" as const) },
      {
        weight: 3,
        arbitrary: fc.constantFrom("nothing" as const, "throw" as const, "throw at once" as const),
      },
      { weight: 1, arbitrary: fc.constant("pool is dead" as const) },
    ),
  }),
  { maxLength: 30 },
).map((items) => items.map((item, id) => ({ ...item, id })));

const moods = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant("work" as const) },
    { weight: 2, arbitrary: fc.constantFrom(...MOODS) },
  ),
  { minLength: 1, maxLength: 8 },
);

const world = fc.record({
  items,
  saveMoods: moods,
  lookupMoods: moods,
  hasLookup: fc.boolean(),
  existing: fc.subarray([1, 2, 3]),
  onExisting: fc.constantFrom("skip" as const, "compute" as const),
  maxPending: fc.integer({ min: 1, max: 8 }),
  maxItems: fc.integer({ min: 1, max: 4 }),
  gracePeriod: fc.constantFrom(0, Infinity),
  source: fc.constantFrom("sync" as const, "async" as const, "failing" as const),
  abortAfter: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 30 })),
  badEnd: fc.oneof({ weight: 5, arbitrary: fc.constant(-1) }, {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 20 }),
  }),
});

/** Runs to explore by hand: `BURST_RUNS=50000 deno test -A tests/pipeline_properties_test.ts`. */
const numRuns = Number(
  Deno.permissions.querySync({ name: "env", variable: "BURST_RUNS" }).state ===
          "granted" && Deno.env.get("BURST_RUNS") || 400,
);

Deno.test("runPipeline() accounts for every item once and tells the truth, whatever fails", async () => {
  await fc.assert(
    fc.asyncProperty(world, fc.scheduler(), async (world, s) => {
      const { existing, onExisting, maxPending, maxItems } = world;
      const wait = (label: string) => s.schedule(Promise.resolve(), label);
      /** How often each row is there. */
      const saved = new Map<number, number>();
      const savedKeys = () => [...saved.keys()].map((id) => Number(world.items[id].key));
      const ends = new Map<number, ItemOutcome[]>();
      const computing = new Set<number>();
      /** By canonical key, the ids in the order in which they were computed. */
      const order = new Map<number, number[]>();
      const controller = new AbortController();
      let read = 0, ended = 0, events = 0, mayFail = world.source === "failing";
      const event = () => {
        if (events++ === world.abortAfter) controller.abort(new Error("stopped"));
      };

      function* source(): Generator<Item> {
        for (const item of world.items) {
          assert(read++ - ended < maxPending, "too many are pending");
          yield item;
        }
        read++;
        if (world.source === "failing") throw new Error("the source is damaged");
      }
      async function* slowSource(): AsyncGenerator<Item> {
        for (const item of source()) {
          await wait("read");
          event();
          yield item;
        }
      }

      /** Answers in a mood: what is done with good items, and which error goes to whom. */
      function moody<T, R>(
        moods: readonly Mood[],
        { isBad = () => false, ask }: { isBad?: (item: T) => boolean; ask: () => (item: T) => R },
      ) {
        let calls = 0;
        const bad = (bisectable: boolean) => Object.assign(new Error("bad"), { bisectable });
        return async (items: readonly T[]): Promise<(R | Error)[]> => {
          const mood = moods[calls++ % moods.length];
          const answer = ask();
          if (mood !== "lose") await wait(mood);
          event();
          switch (mood) {
            case "lose":
            case "lose late":
              mayFail = true;
              if (mood === "lose late") items.filter((item) => !isBad(item)).forEach(answer);
              throw Object.assign(new Error("lost"), { outcome: "unknown" });
            case "die":
              mayFail = true;
              throw bad(false);
            case "refuse all as one is bad":
              throw bad(true);
          }
          const refused = mood === "refuse one" ? items[0] : undefined;
          return items.map((item) => item === refused || isBad(item) ? bad(false) : answer(item));
        };
      }

      const sink: Sink<Row, "inserted"> = {
        send: moody(world.saveMoods, {
          ask: () => ({ id }: Row) => {
            saved.set(id, (saved.get(id) ?? 0) + 1);
            return "inserted" as const;
          },
        }),
        defaults: { maxItems, linger: 0 },
      };
      const lookup: Sink<unknown, { key: number; row: unknown }> = {
        send: moody(world.lookupMoods, {
          isBad: (key) => key === "refused",
          ask() {
            // What is saved after the question is not in the answer.
            const there = [...existing, ...savedKeys()];
            return (key) => ({
              key: Number(key),
              row: there.includes(Number(key)) ? {} : undefined,
            });
          },
        }),
        defaults: { maxItems },
      };

      const running = runPipeline(
        world.source === "sync" ? source() : slowSource(),
        {
          key: ({ key }: Item) => {
            if (key === "throw") throw new Error("it has no key");
            return world.hasLookup ? key : Number(key);
          },
          lookup: world.hasLookup ? lookup : undefined,
          onExisting,
          async compute(item, { signal, exists }): Promise<Row | null> {
            assert(!exists || onExisting === "compute");
            if (item.compute === "throw at once") throw new Error("poison");
            const key = Number(item.key);
            assert(!computing.has(key), "two of the same key at once");
            computing.add(key);
            order.set(key, [...order.get(key) ?? [], item.id]);
            await wait(`compute ${item.id}`);
            event();
            computing.delete(key);
            signal.throwIfAborted();
            if (item.compute === "throw") throw new Error("poison");
            if (item.compute === "pool is dead") {
              mayFail = true;
              throw new PoolClosedError("closed");
            }
            return item.compute === "nothing" ? null : { id: item.id, key };
          },
          sink,
          async onEnd({ id }, { outcome, index }) {
            assertEquals(index, id);
            ends.set(id, [...ends.get(id) ?? [], outcome]);
            await wait("end");
            ended++;
            event();
            if (id !== world.badEnd) return;
            mayFail = true;
            throw new Error("the end is bad");
          },
          maxPending,
          gracePeriod: world.gracePeriod,
          signal: controller.signal,
        },
      );
      const account = await s.waitFor(running.catch((error) => {
        assert(error instanceof PipelineError, String(error.stack));
        assert(mayFail, String(error.cause));
        return error.account;
      }));

      const { read: count, ...outcomes } = account;
      assertEquals(Object.values(outcomes).reduce((sum, one) => sum + one), count);
      assertEquals(ended, count);
      assertEquals(ends.size, count);
      const told: Record<string, number> = {};
      for (const [id, all] of ends) {
        assertEquals(all.length, 1, `item ${id} ended as ${all}`);
        const [outcome] = all;
        told[outcome] = (told[outcome] ?? 0) + 1;
        const times = saved.get(id) ?? 0;
        if (outcome === "inserted") assertEquals(times, 1, `item ${id} is inserted`);
        else if (outcome !== "unknown") assertEquals(times, 0, `item ${id} is ${outcome}`);
      }
      assertEquals(told, Object.fromEntries(Object.entries(outcomes).filter(([, n]) => n > 0)));
      for (const ids of order.values()) assertEquals(ids, [...ids].sort((a, b) => a - b));
      if (onExisting !== "compute") {
        const keys = savedKeys();
        const isExact = world.hasLookup && account.unknown === 0;
        assert(!isExact || new Set(keys).size === keys.length, "a key was saved twice");
        if (world.hasLookup) assert(keys.every((key) => !existing.includes(key)));
      }
      if (!mayFail && !controller.signal.aborted) {
        assertEquals([count, outcomes.unknown, outcomes.unfinished], [world.items.length, 0, 0]);
      }
    }),
    { numRuns },
  );
});
