import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { HashPool, HashWorkerError } from "../hash_pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { type FakeWorker, FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";
import { fakePool, hashMany } from "./_hash_pool.ts";

Deno.test("HashPool fails the password at which a worker died, and hands the others to a new one", async () => {
  for (const die of [(w: FakeWorker) => w.fail(), (w: FakeWorker) => w.terminate()]) {
    const { pool, workers } = fakePool({ workers: 1, cost: 8 });
    const hashes = hashMany(pool, 4);
    await settle();
    die(workers.all[0]);
    const error = await rejection(hashes[0]);
    assertInstanceOf(error, HashWorkerError);
    assertEquals(
      [error.name, error.message, error.started],
      ["HashWorkerError", "Cannot hash a password as its worker died", true],
    );
    await workers.drain(pool);
    assertEquals(
      (await Promise.allSettled(hashes)).map(({ status }) => status),
      ["rejected", "fulfilled", "fulfilled", "fulfilled"],
    );
    assertEquals(workers.all.length, 2);
    assert(workers.all[0].terminated);
    await pool.close();
  }
});

Deno.test("HashPool lets no password kill more than two workers", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const hashes = hashMany(pool, 5);
  await settle();
  workers.all[0].fail();
  await settle();
  workers.all[1].fail();
  for (const hash of hashes) assertInstanceOf(await rejection(hash), HashWorkerError);
  const after = hashMany(pool, 1);
  await workers.drain(pool);
  assertEquals(await after[0], "hash of 0");
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("HashPool replaces a worker that died idle once there is work", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  hashMany(pool, 1);
  await workers.drain(pool);
  workers.all[0].fail();
  await settle();
  assertEquals(workers.all.length, 1);
  const [hash] = hashMany(pool, 1);
  await workers.drain(pool);
  assertEquals([await hash, workers.all.length], ["hash of 0", 2]);
  await pool.close();
});

Deno.test("HashPool rejects what waits for a worker that cannot be made, and tries again with the next", async () => {
  const workers = new FakeWorkers();
  let broken = true, tries = 0;
  const pool = new HashPool({
    workers: 2,
    cost: 4,
    createWorker: () => {
      tries++;
      if (broken) throw new Error("No more threads");
      return workers.create();
    },
  });
  for (const hash of hashMany(pool, 5)) {
    const error = await rejection(hash);
    assertInstanceOf(error, HashWorkerError);
    assertEquals(error.started, false);
    assertEquals(
      error.message,
      "Cannot hash or verify a password as no worker could be started: No more threads",
    );
  }
  assertEquals([tries, pool.size, pool.inFlight], [1, 0, 0]);
  broken = false;
  const hashes = hashMany(pool, 5);
  await workers.drain(pool);
  assertEquals((await Promise.all(hashes)).length, 5);
  assertEquals(workers.all.length, 2);
  await pool.close();
});

Deno.test("HashPool tries again after a worker that could not be started when nobody waited for it", async () => {
  const workers = new FakeWorkers((worker) => {
    if (worker === workers.all[0]) return;
    worker.say({ type: "ready" });
  });
  const pool = new HashPool({ workers: 1, cost: 4, createWorker: workers.create });
  const controller = new AbortController();
  hashMany(pool, 1, controller.signal);
  await settle();
  controller.abort();
  workers.all[0].fail();
  const [hash] = hashMany(pool, 1);
  await workers.drain(pool);
  assertEquals(await hash, "hash of 0");
  await pool.close();
});

Deno.test("HashPool goes on with the workers that it has when another cannot be started", async () => {
  const workers = new FakeWorkers((worker) => {
    if (worker === workers.all[1]) worker.say({ type: "ready" });
    else worker.fail();
  });
  const pool = new HashPool({ workers: 3, cost: 4, createWorker: workers.create });
  const hashes = hashMany(pool, 100);
  await workers.drain(pool);
  assertEquals((await Promise.all(hashes)).length, 100);
  assertEquals([workers.all.length, workers.alive.length], [3, 1]);
  hashMany(pool, 100);
  await workers.drain(pool);
  assertEquals(workers.all.length, 5, "the others were not tried again");
  await pool.close();
});

Deno.test("HashPool gives up on a worker that is not there after 30 seconds", async () => {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] as never });
  try {
    const workers = new FakeWorkers(() => {});
    const pool = new HashPool({ workers: 1, cost: 4, createWorker: workers.create });
    const [hash] = hashMany(pool, 1);
    await clock.tickAsync(29_999);
    assert(await isPending(hash));
    await clock.tickAsync(1);
    const error = await rejection(hash);
    assertInstanceOf(error, HashWorkerError);
    assertMatch(error.message, /no worker could be started: It was not loaded within 30 s$/);
    assert(workers.all[0].terminated);
    assertEquals(clock.countTimers(), 0);
    await pool.close();
  } finally {
    clock.uninstall();
  }
});
