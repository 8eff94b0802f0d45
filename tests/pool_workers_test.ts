import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { WorkError, WorkerStartError } from "../pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { fakePool, runMany } from "./_pool.ts";
import { FakeWorkers } from "./fixtures/pool_fake_worker.ts";

Deno.test("WorkPool fails the item at which a worker died, and hands the others to a new one", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const results = runMany(pool, 4);
  await settle();
  workers.all[0].begin();
  workers.all[0].fail();
  const error = await rejection(results[0]);
  assertInstanceOf(error, WorkError);
  assertEquals(
    [error.reason, error.item, error.message],
    ["died", 0, "Cannot compute an item as the worker died of Error: boom"],
  );
  await workers.drain(pool);
  assertEquals(
    (await Promise.allSettled(results)).map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled", "fulfilled"],
  );
  assertEquals(workers.all.length, 2);
  await pool.close();
});

Deno.test("WorkPool tries each of several suspects alone, and loses no more than the one that kills", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const [first] = runMany(pool, 1);
  await settle();
  workers.all[0].ms = 1;
  await workers.drain(pool);
  await first;
  const results = runMany(pool, 5);
  await settle();
  workers.all[0].begin(3);
  workers.all[0].fail();
  for (const innocent of [true, false, true]) {
    await settle();
    const worker = workers.living[0];
    assertEquals(worker.tasks.length, 1);
    worker.begin();
    if (innocent) worker.answer();
    else worker.fail();
  }
  await workers.drain(pool);
  assertEquals(
    (await Promise.allSettled(results)).map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"],
  );
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("WorkPool gives up on workers that all end before they begin anything", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const results = runMany(pool, 2);
  for (let i = 0; i < 3; i++) {
    await settle();
    workers.living[0].terminate();
  }
  for (const result of results) {
    const error = await rejection(result);
    assertInstanceOf(error, WorkerStartError);
    assertMatch(error.message, /no worker could be started: .*ended with exit code 1$/);
  }
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("WorkPool replaces a worker that died idle once there is work", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  runMany(pool, 1);
  await workers.drain(pool);
  workers.all[0].fail();
  await settle();
  assertEquals(workers.all.length, 1);
  const [hash] = runMany(pool, 1);
  await workers.drain(pool);
  assertEquals([await hash, workers.all.length], ["result of 0", 2]);
  await pool.close();
});

Deno.test("WorkPool rejects what waits for a worker that cannot be made, and tries again with the next", async () => {
  const workers = new FakeWorkers();
  let broken = true, tries = 0;
  const { pool } = fakePool({
    createWorker: (url, options) => {
      tries++;
      if (broken) throw new Error("No more threads");
      return workers.create(url, options);
    },
  });
  for (const hash of runMany(pool, 5)) {
    const error = await rejection(hash);
    assertInstanceOf(error, WorkerStartError);
    assertEquals(
      error.message,
      "Cannot compute anything as no worker could be started: Error: No more threads",
    );
  }
  assertEquals([tries, pool.size, pool.inFlight], [1, 0, 0]);
  broken = false;
  const hashes = runMany(pool, 5);
  await workers.drain(pool);
  assertEquals((await Promise.all(hashes)).length, 5);
  assertEquals(workers.all.length, 2);
  await pool.close();
});

Deno.test("WorkPool tries again after a worker that could not be started when nobody waited for it", async () => {
  const workers = new FakeWorkers((worker) => {
    if (worker === workers.all[0]) return;
    worker.sayReady();
  });
  const { pool } = fakePool({ workers: 1 }, workers);
  const controller = new AbortController();
  runMany(pool, 1, controller.signal);
  await settle();
  controller.abort();
  workers.all[0].fail();
  const [hash] = runMany(pool, 1);
  await workers.drain(pool);
  assertEquals(await hash, "result of 0");
  await pool.close();
});

Deno.test("WorkPool goes on with the workers that it has when another cannot be started", async () => {
  const workers = new FakeWorkers((worker) => {
    if (worker === workers.all[1]) worker.sayReady();
    else worker.fail();
  });
  const { pool } = fakePool({ workers: 3 }, workers);
  const hashes = runMany(pool, 100);
  await workers.drain(pool);
  assertEquals((await Promise.all(hashes)).length, 100);
  assertEquals([workers.all.length, workers.living.length], [3, 1]);
  runMany(pool, 100);
  await workers.drain(pool);
  assertEquals(workers.all.length, 5, "the others were not tried again");
  await pool.close();
});

Deno.test("WorkPool gives up on a worker that is not there after 30 seconds", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] as never });
  try {
    const workers = new FakeWorkers(() => {});
    const { pool } = fakePool({ workers: 1 }, workers);
    const [hash] = runMany(pool, 1);
    await clock.tickAsync(29_999);
    assert(await isPending(hash));
    await clock.tickAsync(1);
    const error = await rejection(hash);
    assertInstanceOf(error, WorkerStartError);
    assertMatch(error.message, /no worker could be started: .*was not ready within 30 s$/);
    assert(workers.all[0].terminated);
    assertEquals(clock.countTimers(), 0);
    await pool.close();
  } finally {
    clock.uninstall();
  }
});
