import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import v8 from "node:v8";
import vm from "node:vm";
import { HashCrew } from "../_internal/pool_crew.ts";
import {
  HashPool,
  HashPoolClosedError,
  type HashPoolOptions,
  HashWorkerError,
} from "../hash_pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { type FakeWorker, FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";

function fakePool(options: HashPoolOptions = {}): { pool: HashPool; workers: FakeWorkers } {
  const workers = new FakeWorkers();
  const pool = new HashPool({ workers: 2, cost: 4, createWorker: workers.create, ...options });
  return { pool, workers };
}

/** Hashes so many passwords, named by their numbers, and says so where nobody awaits them. */
function hashMany(pool: HashPool, count: number, signal?: AbortSignal): Promise<string>[] {
  const hashes = Array.from({ length: count }, (_, i) => pool.hash(String(i), { signal }));
  for (const hash of hashes) hash.catch(() => {});
  return hashes;
}

Deno.test("HashPool refuses options that are out of range or of the wrong kind", () => {
  const cases: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [{ workers: 0 }, RangeError, "'workers' must be a positive integer: current value is 0"],
    [{ workers: 1.5 }, RangeError, "'workers' must be a positive integer: current value is 1.5"],
    [{ cost: 3 }, RangeError, "'cost' must be an integer from 4 to 31: current value is 3"],
    [{ cost: 32 }, RangeError, "'cost' must be an integer from 4 to 31: current value is 32"],
    [
      { cost: "10" },
      RangeError,
      "'cost' must be an integer from 4 to 31: current value is a string",
    ],
    [
      { algorithm: "md5" },
      TypeError,
      `'algorithm' must be "bcrypt" or "scrypt": current value is a string`,
    ],
    [{ scrypt: { N: 2 } }, TypeError, `'scrypt' needs the algorithm "scrypt"`],
    [
      { engine: "native" },
      TypeError,
      `'engine' must be "auto", "lanes" or "bcryptjs": current value is a string`,
    ],
    [{ createWorker: 1 }, TypeError, "'createWorker' must be a function: current value is 1"],
  ];
  for (const [options, type, message] of cases) {
    const error = assertThrows(() => new HashPool(options as HashPoolOptions), type);
    assertEquals(error.message, `Cannot create a hash pool as ${message}`);
  }
  const N = { algorithm: "scrypt", scrypt: { N: 1000 } } as const;
  assertThrows(() => new HashPool(N), RangeError, "'N' must be a power of 2");
});

Deno.test("HashPool.hash() refuses a password that bcrypt would cut, without a worker and without telling it", async () => {
  const { pool, workers } = fakePool();
  const secret = "secret".repeat(13);
  for (const [bad, type] of [[secret, RangeError], ["secret\0", TypeError], [7, TypeError]]) {
    const error = await rejection(pool.hash(bad as string));
    assertInstanceOf(error, type as typeof RangeError);
    assert(!error.message.includes("secret"), error.message);
  }
  assertEquals([workers.all.length, pool.size, pool.inFlight], [0, 0, 0]);
});

Deno.test("HashPool.verify() refuses what is not a string", async () => {
  const { pool, workers } = fakePool();
  await assertRejects(
    () => pool.verify(Symbol() as unknown as string, "hash"),
    TypeError,
    "Cannot verify a password as 'password' must be a string: current value is a symbol",
  );
  await assertRejects(() => pool.verify("a", undefined as unknown as string), TypeError, "'hash'");
  assertEquals(workers.all.length, 0);
});

Deno.test("HashPool starts no worker before there is work, and no more than there is work for", async () => {
  const { pool, workers } = fakePool({ workers: 3, cost: 10 });
  await settle();
  assertEquals(workers.all.length, 0);
  hashMany(pool, 1);
  await settle();
  assertEquals(workers.all.length, 1);
  hashMany(pool, 1);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[1], [1]]);
  hashMany(pool, 9);
  await settle();
  assertEquals(workers.all.length, 3);
  await workers.drain(pool);
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("HashPool spreads a few passwords over its workers", async () => {
  const { pool, workers } = fakePool({ workers: 3 });
  hashMany(pool, 7);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[3], [2], [2]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool gives each worker two groups and no more, of about the same work at every cost", async () => {
  for (const [cost, size] of [[4, 16], [5, 8], [6, 4], [7, 2], [8, 1], [12, 1]]) {
    const { pool, workers } = fakePool({ cost });
    hashMany(pool, 100);
    await settle();
    assertEquals(workers.all.map(({ groups }) => groups), [[size, size], [size, size]]);
    assertEquals([pool.size, pool.inFlight], [100 - 4 * size, 4 * size]);
    await workers.drain(pool);
    await pool.close();
  }
});

Deno.test("HashPool weighs a password to be verified by the cost of its hash", async () => {
  const { pool, workers } = fakePool({ cost: 4, workers: 1 });
  const answers = Array.from({ length: 4 }, () => pool.verify("a", `$2b$08$${"a".repeat(53)}`));
  await settle();
  assertEquals(workers.all[0].groups, [1, 1]);
  await workers.drain(pool);
  assertEquals(await Promise.all(answers), [false, false, false, false]);
  const scrypt = "$scrypt$ln=16,r=8,p=1$c2FsdA$a2V5";
  for (let i = 0; i < 4; i++) pool.verify("a", scrypt);
  await settle();
  assertEquals(workers.all[0].groups.slice(4), [1, 1]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool hands on the next group before a worker has done the one before", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  hashMany(pool, 50);
  await settle();
  const [worker] = workers.all;
  assertEquals(worker.groups, [16, 16]);
  worker.answer(15);
  assertEquals(worker.groups, [16, 16]);
  worker.answer(1);
  assertEquals(worker.groups, [16, 16, 16]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool prefers the worker that is idle, then the one that will be free first", async () => {
  const { pool, workers } = fakePool({ cost: 12 });
  hashMany(pool, 2);
  await settle();
  const [first, second] = workers.all;
  first.answer();
  hashMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1]]);
  hashMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1, 1]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool gives each caller the result of his own password, in whatever order they come", async () => {
  const { pool, workers } = fakePool();
  const hashes = hashMany(pool, 40);
  const verified = pool.verify("a", "hash of a"), refuted = pool.verify("a", "hash of b");
  await settle();
  const [first, second] = workers.all;
  second.answer();
  await settle();
  first.answer();
  await workers.drain(pool);
  assertEquals(await Promise.all(hashes), hashes.map((_, i) => `hash of ${i}`));
  assertEquals([await verified, await refuted], [true, false]);
  await pool.close();
});

Deno.test("HashPool.hash() rejects with what the worker says of this password alone", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const [bad, good] = hashMany(pool, 2);
  await settle();
  const error = new RangeError("Too much memory");
  workers.all[0].answer(1, () => error);
  workers.all[0].answer();
  assertStrictEquals(await rejection(bad), error);
  assertEquals(await good, "hash of 1");
  await pool.close();
});

Deno.test("HashPool.hash() rejects with the signal's reason when it is aborted already", async () => {
  const { pool, workers } = fakePool();
  const reason = new Error("No longer needed");
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(await rejection(pool.hash("a", { signal })), reason);
  assertStrictEquals(await rejection(pool.verify("a", "hash of a", { signal })), reason);
  assertEquals(workers.all.length, 0);
});

Deno.test("HashPool withdraws aborted passwords from the queue, and has workers skip those in hand", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const controller = new AbortController();
  const reason = new Error("No longer needed");
  const before = hashMany(pool, 2);
  const aborted = hashMany(pool, 40, controller.signal);
  const after = hashMany(pool, 2);
  await settle();
  const [worker] = workers.all;
  assertEquals(worker.groups, [16, 16]);
  controller.abort(reason);
  for (const hash of aborted) assertStrictEquals(await rejection(hash), reason);
  const skipped = worker.messages.flatMap((message) => message.type === "skip" ? message.id : []);
  assertEquals(skipped, worker.jobs.slice(2).map(({ id }) => id));
  assertEquals([pool.size, pool.inFlight], [2, 2]);
  worker.answer(2);
  worker.answer(undefined, () => undefined);
  await workers.drain(pool);
  assertEquals(await Promise.all([...before, ...after]), [0, 1, 0, 1].map((i) => `hash of ${i}`));
  await pool.close();
});

Deno.test("HashPool replaces a worker whose long hash nobody waits for, and loses none of the others", async () => {
  const { pool, workers } = fakePool({ workers: 1, cost: 13 });
  const controller = new AbortController();
  const first = hashMany(pool, 1, controller.signal);
  const others = hashMany(pool, 3);
  await settle();
  controller.abort();
  await rejection(first[0]);
  await settle();
  assertEquals(workers.all.map(({ terminated }) => terminated), [true, false]);
  assertEquals(workers.all[1].jobs.map(({ password }) => password), ["0", "1"]);
  await workers.drain(pool);
  assertEquals(await Promise.all(others), ["hash of 0", "hash of 1", "hash of 2"]);
  await pool.close();
});

Deno.test("HashPool keeps a worker whose next long hash is aborted, and hands an aborted one to nobody else", async () => {
  const { pool, workers } = fakePool({ workers: 1, cost: 13 });
  const controllers = [new AbortController(), new AbortController()];
  const aborted = controllers.map(({ signal }) => hashMany(pool, 1, signal)[0]);
  const [kept] = hashMany(pool, 1);
  await settle();
  controllers[1].abort();
  await settle();
  assertEquals(workers.alive.length, 1);
  assertEquals(workers.all[0].messages.at(-1)?.type, "skip");
  controllers[0].abort();
  for (const hash of aborted) await rejection(hash);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[1, 1], [1]]);
  await workers.drain(pool);
  assertEquals(await kept, "hash of 0");
  await pool.close();
});

Deno.test("HashPool drops a result that comes after the abort", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const controller = new AbortController();
  const [aborted] = hashMany(pool, 1, controller.signal);
  const [kept] = hashMany(pool, 1);
  await settle();
  controller.abort();
  workers.all[0].answer();
  assertStrictEquals(await rejection(aborted), controller.signal.reason);
  assertEquals([await kept, pool.size, pool.inFlight], ["hash of 0", 0, 0]);
  await pool.close();
});

Deno.test("HashPool keeps the heap flat and one listener over many passwords with one long-lived signal", async () => {
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
  const { pool, workers } = fakePool({ workers: 1 });
  async function many(): Promise<number> {
    for (let i = 0; i < 100; i++) {
      const hashes = hashMany(pool, 1000, signal);
      while (pool.size + pool.inFlight > 0) {
        await null;
        for (const worker of workers.alive) {
          if (worker.jobs.length > 0) worker.answer();
          worker.messages.length = 0;
        }
      }
      await Promise.all(hashes);
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

Deno.test("HashPool leaves no timer, busy or idle", async () => {
  const clock = FakeTimers.install({
    toFake: ["setTimeout", "clearTimeout", "setInterval"] as never,
  });
  try {
    const { pool, workers } = fakePool();
    hashMany(pool, 3);
    await settle();
    assertEquals(clock.countTimers(), 0);
    await workers.drain(pool);
    assertEquals(clock.countTimers(), 0);
    await pool.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("HashPool.close() waits for what was asked for, and takes no more", async () => {
  const { pool, workers } = fakePool();
  const hashes = hashMany(pool, 100);
  const closed = pool.close();
  await assertRejects(
    () => pool.hash("late"),
    HashPoolClosedError,
    "Cannot hash or verify a password as the pool is closed",
  );
  await assertRejects(() => pool.verify("late", "hash of late"), HashPoolClosedError);
  assert(await isPending(closed));
  await workers.drain(pool);
  assertEquals((await Promise.all(hashes)).length, 100);
  await Promise.all([closed, pool.close(), pool[Symbol.asyncDispose]()]);
  assertEquals(workers.alive, []);
});

Deno.test("HashPool.close() does not wait for work that nobody waits for", async () => {
  const { pool, workers } = fakePool();
  const controller = new AbortController();
  hashMany(pool, 50, controller.signal);
  await settle();
  const closed = pool.close();
  controller.abort();
  await closed;
  assertEquals(workers.alive, []);
});

Deno.test("HashPool[Symbol.asyncDispose]() rejects what is not done, and ends the workers at once", async () => {
  const { pool, workers } = fakePool();
  const hashes = hashMany(pool, 100);
  await settle();
  await pool[Symbol.asyncDispose]();
  for (const hash of hashes) assertInstanceOf(await rejection(hash), HashPoolClosedError);
  assertEquals([pool.size, pool.inFlight, workers.alive.length], [0, 0, 0]);
});

Deno.test("HashPool[Symbol.asyncDispose]() cuts short a close() that waits", async () => {
  const { pool } = fakePool();
  const [hash] = hashMany(pool, 1);
  await settle();
  const closed = pool.close();
  await pool[Symbol.asyncDispose]();
  assertInstanceOf(await rejection(hash), HashPoolClosedError);
  await closed;
});

Deno.test("HashCrew forgets a password as soon as it is settled", async () => {
  const workers = new FakeWorkers();
  const settings = { algorithm: "bcrypt", cost: 4 } as const;
  const crew = new HashCrew(1, { url: "", createWorker: workers.create, settings });
  const ignore = { resolve: () => {}, reject: () => {} };
  const controller = new AbortController();
  const tasks = ["a", "b", "c"].map((password, i) =>
    crew.add(
      { password, hash: undefined, rounds: 2 ** 8 },
      ignore,
      i === 2 ? controller.signal : undefined,
    )
  );
  await settle();
  workers.all[0].answer(1);
  controller.abort();
  assertEquals(tasks.map(({ item: { password } }) => password), ["", "b", ""]);
  crew.abort(new Error("The end"));
  assertEquals(tasks[1].item.password, "");
});
