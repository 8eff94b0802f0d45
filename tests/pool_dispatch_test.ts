import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { WorkError, WorkPool } from "../pool.ts";
import { rejection, settle } from "./_helpers.ts";
import { fakePool, runMany } from "./_pool.ts";
import { FakeWorkers } from "./fixtures/pool_fake_worker.ts";

/** Workers that say that a task takes so many milliseconds. */
function workersOf(ms: number, atOnce = 1): FakeWorkers {
  return new FakeWorkers((worker) => {
    worker.ms = ms;
    worker.sayReady(atOnce);
  });
}

Deno.test("WorkPool refuses options that are out of range or of the wrong kind", () => {
  const cases: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [{ workers: 0 }, RangeError, "'workers' must be a positive integer: current value is 0"],
    [{ maxHeap: 0.5 }, RangeError, "'maxHeap' must be a positive integer: current value is 0.5"],
    [
      { timeout: 0 },
      RangeError,
      "'timeout' must be a number of milliseconds from 1 to 2147483647: current value is 0",
    ],
    [
      { startTimeout: 2 ** 31 },
      RangeError,
      "'startTimeout' must be a number of milliseconds from 1 to 2147483647: current value is 2147483648",
    ],
    [{ export: 1 }, TypeError, "'export' must be a string: current value is 1"],
    [{ createWorker: 1 }, TypeError, "'createWorker' must be a function: current value is 1"],
    [{ onComputed: 1 }, TypeError, "'onComputed' must be a function: current value is 1"],
  ];
  for (const [options, type, message] of cases) {
    const error = assertThrows(() => new WorkPool("data:,", options as never), type);
    assertEquals(error.message, `Cannot create a pool as ${message}`);
  }
  for (const [module, value] of [["./work.ts", `"./work.ts"`], [undefined, "undefined"]]) {
    assertThrows(
      () => new WorkPool(module as string),
      TypeError,
      `Cannot create a pool as 'module' must be an absolute URL, such as new URL("./work.ts", import.meta.url): current value is ${value}`,
    );
  }
});

Deno.test("WorkPool starts no worker before there is work, and no more than there is work for", async () => {
  const { pool, workers } = fakePool({ workers: 3 });
  await settle();
  assertEquals(workers.all.length, 0);
  runMany(pool, 1);
  await settle();
  assertEquals(workers.all.length, 1);
  runMany(pool, 1);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[1], [1]]);
  runMany(pool, 9);
  await settle();
  assertEquals(workers.all.length, 3);
  await workers.drain(pool);
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("WorkPool spreads a few items over its workers", async () => {
  const { pool, workers } = fakePool({ workers: 3 }, workersOf(0.1));
  runMany(pool, 3);
  await workers.drain(pool);
  runMany(pool, 7);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[1, 3], [1, 2], [1, 2]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("WorkPool gives each worker two groups and no more, of about 20 ms as it was measured", async () => {
  for (const [ms, size] of [[0.001, 1024], [0.02, 1000], [1, 20], [12, 1], [200, 1]]) {
    const { pool, workers } = fakePool({}, workersOf(ms));
    runMany(pool, 2);
    await workers.drain(pool);
    runMany(pool, 5000);
    await settle();
    assertEquals(workers.all.map(({ groups }) => groups), [[1, size, size], [1, size, size]]);
    assertEquals([pool.size, pool.inFlight], [5000 - 4 * size, 4 * size]);
    await workers.drain(pool);
    await pool.close();
  }
});

Deno.test("WorkPool gives a worker that computes several at once no fewer than that", async () => {
  const { pool, workers } = fakePool({}, workersOf(200, 4));
  runMany(pool, 100);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[4, 4], [4, 4]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("WorkPool follows what an item takes when that changes", async () => {
  const { pool, workers } = fakePool({ workers: 1 }, workersOf(200));
  runMany(pool, 1);
  await workers.drain(pool);
  const [worker] = workers.all;
  worker.ms = 2;
  runMany(pool, 300);
  await workers.drain(pool);
  assertEquals(Math.max(...worker.groups), 9);
  await pool.close();
});

Deno.test("WorkPool hands on the next group before a worker has done the one before", async () => {
  const { pool, workers } = fakePool({ workers: 1 }, workersOf(20 / 16));
  runMany(pool, 1);
  await workers.drain(pool);
  const [worker] = workers.all;
  runMany(pool, 50);
  await settle();
  assertEquals(worker.groups, [1, 16, 16]);
  worker.answer(15);
  assertEquals(worker.groups, [1, 16, 16]);
  worker.answer(1);
  assertEquals(worker.groups, [1, 16, 16, 16]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("WorkPool prefers the worker that is idle, then the one that will be free first", async () => {
  const { pool, workers } = fakePool();
  runMany(pool, 2);
  await settle();
  const [first, second] = workers.all;
  first.answer();
  runMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1]]);
  runMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1, 1]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("WorkPool has an idle worker do what a busy one has not begun", async () => {
  const { pool, workers } = fakePool({}, workersOf(1));
  runMany(pool, 2);
  await workers.drain(pool);
  const results = runMany(pool, 40);
  await settle();
  const [first, second] = workers.all;
  assertEquals([first.groups, second.groups], [[1, 20], [1, 20]]);
  first.begin(4);
  second.answer();
  assertEquals([first.groups, second.groups], [[1, 20], [1, 20, 10]]);
  assertEquals(second.answer(), Array.from({ length: 10 }, (_, i) => 10 + i));
  assertEquals(first.answer(), [0, 1, 2, 3, 4]);
  await workers.drain(pool);
  assertEquals(await Promise.all(results), results.map((_, i) => `result of ${i}`));
  await pool.close();
});

Deno.test("WorkPool frees cheap items that are stuck behind a long one", async () => {
  const { pool, workers } = fakePool({}, workersOf(0.01));
  runMany(pool, 2);
  await workers.drain(pool);
  const results = runMany(pool, 8);
  await settle();
  const [first, second] = workers.all;
  first.begin(1);
  second.answer();
  // Too little to be worth a message at once.
  assertEquals(second.groups, [1, 4]);
  for (const i of [2, 3]) {
    while (second.tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    second.answer();
    await results[i];
  }
  first.answer();
  await workers.drain(pool);
  assertEquals(await Promise.all(results), results.map((_, i) => `result of ${i}`));
  await pool.close();
});

Deno.test("WorkPool gives each caller the result of his own item, in whatever order they come", async () => {
  const { pool, workers } = fakePool({}, workersOf(1));
  const results = runMany(pool, 40);
  await settle();
  const [first, second] = workers.all;
  second.answer();
  await settle();
  first.answer();
  await workers.drain(pool);
  assertEquals(await Promise.all(results), results.map((_, i) => `result of ${i}`));
  await pool.close();
});

Deno.test("WorkPool.run() rejects with what the worker says of this item alone", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const [bad, good] = runMany(pool, 2);
  await settle();
  workers.all[0].answer(1, () => new RangeError("Too much memory"));
  workers.all[0].answer();
  const error = await rejection(bad);
  assertInstanceOf(error, WorkError);
  assertEquals([error.item, error.reason], [0, "threw"]);
  assertInstanceOf(error.cause, RangeError);
  assertEquals(
    error.message,
    "Cannot compute an item as its function threw RangeError: Too much memory",
  );
  assertEquals(await good, "result of 1");
  await pool.close();
});

Deno.test("WorkPool gives an item with transfer to an idle worker, and alone", async () => {
  const { pool, workers } = fakePool({ workers: 1 }, workersOf(1));
  runMany(pool, 1);
  await workers.drain(pool);
  const [worker] = workers.all;
  const before = runMany(pool, 3);
  const moved = pool.run(new Uint8Array(8), { transfer: [new ArrayBuffer(8)] });
  const after = runMany(pool, 3);
  await settle();
  assertEquals(worker.groups, [1, 3]);
  worker.answer();
  assertEquals(worker.groups, [1, 3, 1]);
  worker.answer();
  assertEquals(worker.groups, [1, 3, 1, 3]);
  await workers.drain(pool);
  await Promise.all([...before, moved, ...after]);
  await pool.close();
});

Deno.test("WorkPool.run() rejects with the signal's reason when it is aborted already", async () => {
  const { pool, workers } = fakePool();
  const reason = new Error("No longer needed");
  assertStrictEquals(
    await rejection(pool.run(1, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  assertEquals(workers.all.length, 0);
});

Deno.test("WorkPool.start() starts one worker, and does nothing when there is one", async () => {
  const { pool, workers } = fakePool({ workers: 3 });
  await Promise.all([pool.start(), pool.start()]);
  await pool.start();
  assertEquals(workers.all.length, 1);
  assert(!workers.all[0].alive);
  await pool.close();
  await assertRejects(() => pool.start(), Error, "the pool is closed");
});
