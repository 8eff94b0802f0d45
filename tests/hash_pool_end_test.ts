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
import { HashCrew } from "../_internal/pool/crew.ts";
import { HashPoolClosedError } from "../hash_pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";
import { fakePool, hashMany } from "./_hash_pool.ts";

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
        await settle();
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
