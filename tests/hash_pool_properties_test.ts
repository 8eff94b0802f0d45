import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { HashPool } from "../hash_pool.ts";
import { settle } from "./_helpers.ts";
import { FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";

type Step =
  | { do: "hash" | "verify"; times: number; signal: number }
  | { do: "answer"; worker: number; times: number }
  | { do: "fail" | "end"; worker: number }
  | { do: "abort"; signal: number }
  | { do: "turn" | "close" | "dispose" };

const worker = fc.nat({ max: 3 }), times = fc.integer({ min: 1, max: 40 });
const signal = fc.nat({ max: 3 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom("hash" as const, "verify" as const),
        times,
        signal,
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("answer" as const), worker, times }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("fail" as const, "end" as const), worker }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("abort" as const), signal }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("close" as const, "dispose" as const) }),
    },
  ),
  { maxLength: 40 },
);

Deno.test("HashPool settles every promise exactly once, whatever is called and whatever workers do", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(4, 7, 8, 13),
      fc.array(fc.constantFrom("starts", "starts", "throws", "fails"), {
        minLength: 1,
        maxLength: 6,
      }),
      async (steps, size, cost, starts) => {
        let made = 0;
        const workers = new FakeWorkers((worker) => {
          if (starts[made++ % starts.length] === "fails") worker.fail();
          else worker.say({ type: "ready" });
        });
        const createWorker = () => {
          if (starts[made % starts.length] !== "throws") return workers.create();
          made++;
          throw new Error("No more threads");
        };
        const pool = new HashPool({ workers: size, cost, createWorker });
        const controllers = Array.from({ length: 4 }, () => new AbortController());
        const settled: string[][] = [];

        const note = (promise: Promise<unknown>, expected: unknown) => {
          const ends: string[] = [];
          settled.push(ends);
          promise.then(
            (result) => ends.push(result === expected ? "right" : "wrong"),
            (error) => ends.push(error instanceof TypeError ? "wrong" : "rejected"),
          );
        };
        for (const step of steps) {
          if ("times" in step && "signal" in step) {
            const { signal } = controllers[step.signal];
            for (let i = 0; i < step.times; i++) {
              const password = String(settled.length);
              if (step.do === "hash") note(pool.hash(password, { signal }), `hash of ${password}`);
              else note(pool.verify(password, `hash of ${password}`, { signal }), true);
            }
          } else if (step.do === "turn") await settle();
          else if (step.do === "abort") controllers[step.signal].abort();
          else if (step.do === "close") note(pool.close(), undefined);
          else if (step.do === "dispose") note(pool[Symbol.asyncDispose](), undefined);
          else if ("worker" in step) {
            const worker = workers.alive[step.worker % workers.alive.length];
            if (step.do === "answer") worker?.answer(step.times);
            else if (step.do === "fail") worker?.fail();
            else worker?.terminate();
          }
          for (const { jobs } of workers.alive) {
            assert(jobs.length <= 512, `${jobs.length} in hand`);
          }
          assert(workers.alive.length <= size, `${workers.alive.length} workers`);
        }
        note(pool.close(), undefined);
        await workers.drain(pool);
        await settle();

        for (const ends of settled) {
          assertEquals(ends.length, 1);
          assert(ends[0] !== "wrong");
        }
        assertEquals([pool.size, pool.inFlight, workers.alive.length], [0, 0, 0]);
      },
    ),
    { numRuns: 200 },
  );
});
