import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { settle } from "./_helpers.ts";
import { fakePool } from "./_pool.ts";
import { FakeWorkers } from "./fixtures/pool_fake_worker.ts";

type Step =
  | { do: "run"; times: number; signal: number }
  | { do: "answer" | "begin"; worker: number; times: number }
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
        do: fc.constant("run" as const),
        times,
        signal,
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("answer" as const), worker, times }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("begin" as const), worker, times }) },
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

Deno.test("WorkPool settles every promise exactly once, whatever is called and whatever workers do", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(0.01, 1, 5, 100),
      fc.array(fc.constantFrom("starts", "starts", "throws", "fails"), {
        minLength: 1,
        maxLength: 6,
      }),
      async (steps, size, ms, starts) => {
        let made = 0;
        const workers = new FakeWorkers((worker) => {
          worker.ms = ms;
          if (starts[made++ % starts.length] === "fails") worker.fail();
          else worker.sayReady();
        });
        const { pool } = fakePool({
          workers: size,
          createWorker: (url, options) => {
            if (starts[made % starts.length] !== "throws") return workers.create(url, options);
            made++;
            throw new Error("No more threads");
          },
        });
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
              const task = String(settled.length);
              note(pool.run(task, { signal }), `result of ${task}`);
            }
          } else if (step.do === "turn") await settle();
          else if (step.do === "abort") controllers[step.signal].abort();
          else if (step.do === "close") note(pool.close(), undefined);
          else if (step.do === "dispose") note(pool[Symbol.asyncDispose](), undefined);
          else if ("worker" in step) {
            const worker = workers.living[step.worker % workers.living.length];
            if (step.do === "answer") worker?.answer(step.times);
            else if (step.do === "begin") worker?.begin(step.times);
            else if (step.do === "fail") worker?.fail();
            else worker?.terminate();
          }
          for (const { tasks } of workers.living) {
            assert(tasks.length <= 4096, `${tasks.length} in hand`);
          }
          assert(workers.living.length <= size, `${workers.living.length} workers`);
        }
        note(pool.close(), undefined);
        await workers.drain(pool);
        await settle();

        for (const ends of settled) {
          assertEquals(ends.length, 1);
          assert(ends[0] !== "wrong");
        }
        assertEquals([pool.size, pool.inFlight, workers.living.length], [0, 0, 0]);
      },
    ),
    { numRuns: 200 },
  );
});
