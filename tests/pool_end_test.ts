import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import v8 from "node:v8";
import vm from "node:vm";
import { Crew } from "../_internal/pool/crew.ts";
import { resolvePoolOptions } from "../_internal/pool/options.ts";
import { Task } from "../_internal/pool/task.ts";
import { PoolClosedError } from "../pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { FakeWorkers } from "./fixtures/pool_fake_worker.ts";
import { fakePool, runMany } from "./_pool.ts";

Deno.test("WorkPool withdraws aborted items from the queue, and takes back those that are not begun", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  runMany(pool, 1);
  await settle();
  workers.all[0].ms = 1;
  await workers.drain(pool);
  const controller = new AbortController();
  const reason = new Error("No longer needed");
  const before = runMany(pool, 2);
  const aborted = runMany(pool, 50, controller.signal);
  const after = runMany(pool, 2);
  await settle();
  const [worker] = workers.all;
  assertEquals(worker.groups, [1, 20, 20]);
  worker.begin(2);
  controller.abort(reason);
  for (const result of aborted) assertStrictEquals(await rejection(result), reason);
  await settle();
  assertEquals([pool.size, pool.inFlight], [0, 4]);
  assertEquals(worker.answer(), [0, 1, 0, 1]);
  assertEquals(await Promise.all([...before, ...after]), [0, 1, 0, 1].map((i) => `result of ${i}`));
  await pool.close();
});

Deno.test("WorkPool ends a worker that is long at what nobody waits for, and loses none of the others", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] as never });
  try {
    const { pool, workers } = fakePool({ workers: 1 });
    const controller = new AbortController();
    const [first] = runMany(pool, 1, controller.signal);
    const others = runMany(pool, 3);
    await settle();
    workers.all[0].begin();
    controller.abort();
    await rejection(first);
    await clock.tickAsync(499);
    assertEquals(workers.living.length, 1);
    assertEquals(workers.all.length, 1);
    await clock.tickAsync(1);
    await settle();
    assertEquals(workers.all.map(({ terminated }) => terminated), [true, false]);
    await workers.drain(pool);
    assertEquals(await Promise.all(others), ["result of 0", "result of 1", "result of 2"]);
    await pool.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("WorkPool drops a result that comes after the abort", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const controller = new AbortController();
  const [aborted] = runMany(pool, 1, controller.signal);
  const [kept] = runMany(pool, 1);
  await settle();
  controller.abort();
  workers.all[0].answer();
  assertStrictEquals(await rejection(aborted), controller.signal.reason);
  assertEquals([await kept, pool.size, pool.inFlight], ["result of 0", 0, 0]);
  await pool.close();
});

Deno.test("WorkPool keeps the heap flat and one listener over many items with one long-lived signal", async () => {
  v8.setFlagsFromString("--expose_gc");
  const collect = vm.runInNewContext("gc") as () => void;
  const { signal } = new AbortController();
  let listeners = 0, most = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  signal.addEventListener = function (...args: unknown[]) {
    most = Math.max(most, ++listeners);
    addEventListener.apply(this, args as never);
  };
  signal.removeEventListener = function (...args: unknown[]) {
    listeners--;
    removeEventListener.apply(this, args as never);
  };
  const { pool, workers } = fakePool(
    { workers: 1 },
    new FakeWorkers((worker) => {
      worker.ms = 0.01;
      worker.sayReady();
    }),
  );
  async function many(): Promise<number> {
    for (let i = 0; i < 100; i++) {
      const results = runMany(pool, 1000, signal);
      while (pool.size + pool.inFlight > 0) {
        await settle();
        for (const worker of workers.living) if (worker.tasks.length > 0) worker.answer();
      }
      await Promise.all(results);
    }
    collect();
    return Deno.memoryUsage().heapUsed;
  }
  const before = await many();
  const growth = await many() - before;
  assertEquals([listeners, most], [0, 1]);
  // A hundred thousand listeners or tasks would be tens of megabytes.
  assert(growth < 1_000_000, `the heap grew by ${growth} bytes`);
  await pool[Symbol.asyncDispose]();
});

Deno.test("WorkPool leaves no timer, busy or idle", async () => {
  const clock = FakeTimers.install({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as never,
  });
  try {
    const { pool, workers } = fakePool();
    runMany(pool, 3);
    await settle();
    assertEquals(clock.countTimers(), 0);
    await workers.drain(pool);
    assertEquals(clock.countTimers(), 0);
    await pool.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("WorkPool.close() waits for what was asked for, and takes no more", async () => {
  const { pool, workers } = fakePool();
  const results = runMany(pool, 100);
  const closed = pool.close();
  await assertRejects(
    () => pool.run("late"),
    PoolClosedError,
    "Cannot compute anything as the pool is closed",
  );
  assert(await isPending(closed));
  await workers.drain(pool);
  assertEquals((await Promise.all(results)).length, 100);
  await Promise.all([closed, pool.close(), pool[Symbol.asyncDispose]()]);
  assertEquals(workers.living, []);
});

Deno.test("WorkPool.close() does not wait for work that nobody waits for", async () => {
  const { pool, workers } = fakePool();
  const controller = new AbortController();
  runMany(pool, 50, controller.signal);
  await settle();
  const closed = pool.close();
  controller.abort();
  await closed;
  assertEquals(workers.living, []);
});

Deno.test("WorkPool[Symbol.asyncDispose]() rejects what is not done, and ends the workers at once", async () => {
  const { pool, workers } = fakePool();
  const results = runMany(pool, 100);
  await settle();
  await pool[Symbol.asyncDispose]();
  for (const result of results) assertInstanceOf(await rejection(result), PoolClosedError);
  assertEquals([pool.size, pool.inFlight, workers.living.length], [0, 0, 0]);
});

Deno.test("WorkPool[Symbol.asyncDispose]() cuts short a close() that waits", async () => {
  const { pool } = fakePool();
  const [result] = runMany(pool, 1);
  await settle();
  const closed = pool.close();
  await pool[Symbol.asyncDispose]();
  assertInstanceOf(await rejection(result), PoolClosedError);
  await closed;
});

Deno.test("Crew forgets an item as soon as it is settled", async () => {
  const workers = new FakeWorkers();
  const { workers: count, ...settings } = resolvePoolOptions("data:,", {
    workers: 1,
    createWorker: workers.create,
  });
  const crew = new Crew(count, settings);
  const ignore = { resolve: () => {}, reject: () => {} };
  const controller = new AbortController();
  const tasks = ["a", "b", "c"].map((text, i) => {
    const task = new Task(text, text, ignore, undefined);
    crew.add(task, i === 2 ? controller.signal : undefined);
    return task;
  });
  await settle();
  workers.all[0].answer(1);
  controller.abort();
  assertEquals(tasks.map(({ item, value }) => [item, value]), [
    [undefined, undefined],
    ["b", "b"],
    [undefined, undefined],
  ]);
  crew.abort(new Error("The end"));
  assertEquals([tasks[1].item, tasks[1].value], [undefined, undefined]);
});
