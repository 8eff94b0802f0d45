import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as fc from "fast-check";
import { type MapOptions, PoolClosedError, WorkError, WorkerStartError } from "../pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { type FakePool, fakePool as makePool } from "./_pool.ts";
import { FakeWorkers, startEager } from "./fixtures/pool_fake_worker.ts";

function fakePool(workers: FakeWorkers): FakePool {
  return makePool({}, workers).pool;
}

function eagerPool(): FakePool {
  return fakePool(new FakeWorkers(startEager));
}

/** The numbers up to a limit; the state tells how many were read, and how often it was closed. */
function numbers(limit = Infinity) {
  const state = { read: 0, closed: 0 };
  const items = (async function* () {
    try {
      while (state.read < limit) yield state.read++;
    } finally {
      state.closed++;
    }
  })();
  return { items, state };
}

Deno.test("WorkPool.map() yields every item with its result, from iterables of both kinds", async () => {
  await using pool = eagerPool();
  const words = ["one", "", "three"];
  for (const items of [words, new Set(words), words.values()]) {
    const hashed = await Array.fromAsync(pool.map(items, { ordered: true }));
    assertEquals(hashed, words.map((item) => ({ item, result: `result of ${item}` })));
  }
  const letters = await Array.fromAsync(pool.map("abc", { ordered: true }));
  assertEquals(letters.map(({ item }) => item).join(""), "abc");
  const falsy = [0, "", false, null, undefined];
  const hashed = await Array.fromAsync(pool.map(falsy, { ordered: true }));
  assertEquals(hashed.map(({ item }) => item), falsy);
  assertEquals(await Array.fromAsync(pool.map([])), []);
  const { items, state } = numbers(500);
  const many = await Array.fromAsync(pool.map(items));
  assertEquals(
    many.toSorted((a, b) => a.item - b.item),
    Array.from({ length: 500 }, (_, item) => ({ item, result: `result of ${item}` })),
  );
  assertEquals(state, { read: 500, closed: 1 });
});

Deno.test("WorkPool.map() yields results as they are done, or in order", async () => {
  for (const ordered of [false, true]) {
    const workers = new FakeWorkers();
    await using pool = fakePool(workers);
    const hashed = pool.map(["a", "b", "c", "d"], { ordered });
    const first = hashed.next();
    await settle();
    const [one, two] = workers.all;
    assertEquals([one, two].map(({ tasks }) => tasks[0].value), ["a", "c"]);
    two.answer(1);
    assertEquals(await isPending(first), ordered);
    one.answer(1);
    assertEquals((await first).value?.item, ordered ? "a" : "c");
    const rest = Array.fromAsync(hashed);
    await workers.drain(pool);
    assertEquals(
      (await rest).map(({ item }) => item),
      ordered ? ["b", "c", "d"] : ["a", "b", "d"],
    );
  }
});

Deno.test("WorkPool.map() yields what is done while its source is slow", async () => {
  await using pool = eagerPool();
  const { promise, resolve: open } = Promise.withResolvers<void>();
  const hashed = pool.map(
    (async function* () {
      yield "a";
      await promise;
      yield "b";
    })(),
  );
  assertEquals((await hashed.next()).value?.item, "a");
  const second = hashed.next();
  assert(await isPending(second));
  open();
  assertEquals((await second).value?.item, "b");
  assertEquals((await hashed.next()).done, true);
});

Deno.test("WorkPool.map() reads no more than lookAhead items beyond what was taken", async () => {
  await using pool = eagerPool();
  for (const [options, lookAhead] of [[{ lookAhead: 5 }, 5], [{ lookAhead: 128 }, 128]] as const) {
    for (const ordered of [false, true]) {
      const { items, state } = numbers();
      const hashed = pool.map(items, { ...options, ordered });
      assertEquals(state.read, 0);
      for (let taken = 1; taken <= 20; taken++) {
        await hashed.next();
        await settle();
        assertEquals(state.read, taken + lookAhead);
      }
      await hashed.return();
      assertEquals(state.closed, 1);
    }
  }
});

Deno.test("WorkPool.map() goes on reading and computing while its consumer is busy", async () => {
  const workers = new FakeWorkers();
  await using pool = fakePool(workers);
  const { items, state } = numbers(20);
  const hashed = pool.map(items, { lookAhead: 10 });
  const first = hashed.next();
  await settle();
  await workers.drain(pool);
  await first;
  await workers.drain(pool);
  assertEquals([state.read, pool.size, pool.inFlight], [11, 0, 0]);
  const rest = Array.fromAsync(hashed);
  while (await isPending(rest)) await workers.drain(pool);
  assertEquals((await rest).length, 19);
});

for (
  const [how, leave] of [
    ["breaks", () => true],
    ["throws", () => {
      throw new Error("The consumer had enough");
    }],
  ] as const
) {
  Deno.test(`WorkPool.map() closes its source and withdraws its work when the consumer ${how}`, async () => {
    const workers = new FakeWorkers();
    await using pool = fakePool(workers);
    const { items, state } = numbers();
    const kept = pool.run("kept");
    const looped = (async () => {
      for await (const _ of pool.map(items, { lookAhead: 50 })) if (leave()) break;
    })();
    await settle();
    assertEquals(pool.size + pool.inFlight, 51);
    workers.all[1].answer(1);
    if (how === "breaks") await looped;
    else assertEquals((await rejection(looped) as Error).message, "The consumer had enough");
    assertEquals([pool.size + pool.inFlight, state.closed], [1, 1]);
    await workers.drain(pool);
    assertEquals(await kept, "result of kept");
  });
}

Deno.test("WorkPool.map() does not close a source that has come to its end", async () => {
  await using pool = eagerPool();
  let closed = 0;
  const source = {
    *[Symbol.iterator]() {
      yield "a";
    },
  };
  const items = {
    [Symbol.iterator]() {
      const iterator = source[Symbol.iterator]();
      return { next: () => iterator.next(), return: () => ({ value: closed++, done: true }) };
    },
  };
  assertEquals((await Array.fromAsync(pool.map(items as Iterable<string>))).length, 1);
  assertEquals(closed, 0);
});

Deno.test("WorkPool.map() does not wait for a source that is in the middle of a read", async () => {
  const workers = new FakeWorkers(startEager);
  await using pool = fakePool(workers);
  let closed = 0;
  const { promise: second, resolve: answer } = Promise.withResolvers<IteratorResult<string>>();
  const reads = [Promise.resolve({ value: "a" }), second, Promise.reject(new Error("Too late"))];
  reads[2].catch(() => {});
  const slow: AsyncIterableIterator<string> = {
    [Symbol.asyncIterator]: () => slow,
    next: () => reads.shift()!,
    return: () => {
      closed++;
      return new Promise(() => {});
    },
  };
  for await (const { item } of pool.map(slow)) {
    assertEquals(item, "a");
    break;
  }
  answer({ value: "b" });
  await settle();
  assertEquals([closed, reads.length], [1, 1]);
  assertEquals(workers.all[0].groups, [1], "what was read after the end was computed");
});

Deno.test("WorkPool.map() yields the items before a failure of the source, then rejects with it", async () => {
  const workers = new FakeWorkers();
  await using pool = fakePool(workers);
  const failure = new Error("Line 4 is broken");
  const hashed: string[] = [];
  const looped = (async () => {
    const items = (async function* () {
      yield* ["a", "b", "c"];
      throw failure;
    })();
    for await (const { item } of pool.map(items)) hashed.push(item);
  })();
  await settle();
  assert(await isPending(looped));
  await workers.drain(pool);
  assertStrictEquals(await rejection(looped), failure);
  assertEquals(hashed.sort(), ["a", "b", "c"]);
});

Deno.test("WorkPool.map() ends at an item without a result, with an error that carries it and does not show it", async () => {
  await using pool = eagerPool();
  const users = [{ id: 1, password: "secret" }, { id: 2, password: "secret" }];
  const { items, state } = numbers();
  const cause = new RangeError("Not for him");
  for (
    const source of [
      users,
      (async function* () {
        for await (const id of items) yield { id, password: "secret" };
      })(),
    ]
  ) {
    const bad = source === users ? 2 : 20;
    const task = (user: typeof users[0]) => {
      if (user.id === bad) throw cause;
      return user;
    };
    const error = await rejection(Array.fromAsync(pool.map(source, { task, ordered: true })));
    assertInstanceOf(error, WorkError<typeof users[0]>);
    assertEquals([error.item.id, error.reason, error.name], [bad, "task", "WorkError"]);
    assertStrictEquals(error.cause, cause);
    assertEquals(
      error.message,
      "Cannot compute an item as its task cannot be made, which threw RangeError: Not for him",
    );
    assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
    assertEquals([pool.size, pool.inFlight], [0, 0]);
  }
  assertEquals(state.closed, 1);
});

Deno.test("WorkPool.map() hands an item without a result to onError, and goes on", async () => {
  await using pool = eagerPool();
  const refused: [number, string, string][] = [];
  let working = 0;
  const computed = await Array.fromAsync(
    pool.map([0, 1, 2, 3, 4], {
      task: (id) => {
        if (id === 3) throw new DOMException("Cannot be decrypted", "OperationError");
        return id === 1 ? () => {} : id;
      },
      onError: async (error, item) => {
        assertEquals(++working, 1);
        await settle();
        refused.push([item, error.reason, (error.cause as Error)?.name]);
        working--;
      },
    }),
  );
  assertEquals(computed.map(({ item }) => item).sort(), [0, 2, 4]);
  assertEquals(refused.sort(), [[1, "task", "DataCloneError"], [3, "task", "OperationError"]]);
});

Deno.test("WorkPool.map() ends with what onError throws", async () => {
  await using pool = eagerPool();
  const { items, state } = numbers();
  const failure = new Error("Too many");
  const options: MapOptions<number> = {
    task: () => {
      throw new Error("No task");
    },
    onError: () => {
      throw failure;
    },
  };
  assertStrictEquals(await rejection(Array.fromAsync(pool.map(items, options))), failure);
  assertEquals(state.closed, 1);
});

Deno.test("WorkPool.map() hands the item at which a worker died to onError, and goes on", async () => {
  const workers = new FakeWorkers();
  await using pool = fakePool(workers);
  const refused: unknown[] = [];
  const looped = Array.fromAsync(
    pool.map([1, 2, 3], { onError: (error, item) => refused.push([error.reason, item]) }),
  );
  await settle();
  workers.all[0].begin();
  workers.all[0].fail();
  await workers.drain(pool);
  assertEquals((await looped).length, 2);
  assertEquals(refused, [["died", 1]]);
});

Deno.test("WorkPool.map() ends when the pool is closed or no worker can be started, and asks no onError", async () => {
  const onError = () => assert(false, "onError was called");
  const broken = fakePool(new FakeWorkers((worker) => worker.fail()));
  const { items, state } = numbers();
  const error = await rejection(Array.fromAsync(broken.map(items, { onError })));
  assertInstanceOf(error, WorkerStartError);
  // Nothing was read of it.
  assertEquals(state, { read: 0, closed: 0 });

  for (const end of ["close", Symbol.asyncDispose] as const) {
    const pool = eagerPool();
    const { items, state } = numbers();
    const looped = (async () => {
      for await (const _ of pool.map(items, { onError })) await pool[end]();
    })();
    assertInstanceOf(await rejection(looped), PoolClosedError);
    assertEquals(state.closed, 1);
  }
});

Deno.test("WorkPool.map() rejects with the signal's reason, and leaves no listener", async () => {
  const workers = new FakeWorkers();
  await using pool = fakePool(workers);
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  signal.addEventListener = function (...args: unknown[]) {
    listeners++;
    addEventListener.apply(this, args as never);
  };
  signal.removeEventListener = function (...args: unknown[]) {
    listeners--;
    removeEventListener.apply(this, args as never);
  };
  const { items, state } = numbers();
  const next = pool.map(items, { signal }).next();
  await settle();
  assertEquals(listeners, 1);
  controller.abort(new Error("Ctrl-C"));
  assertStrictEquals(await rejection(next), signal.reason);
  assertEquals([pool.size + pool.inFlight, state.closed, listeners], [0, 1, 0]);
  const never = numbers();
  const late = pool.map(never.items, { signal });
  assertStrictEquals(await rejection(late.next()), signal.reason);
  assertEquals(never.state.read, 0);
});

Deno.test("WorkPool.map() refuses options that are out of range or of the wrong kind", () => {
  const { pool } = makePool();
  assertThrows(
    () => pool.map([], { lookAhead: 0 }),
    RangeError,
    "Cannot compute items as 'lookAhead' must be a positive integer: current value is 0",
  );
  for (const name of ["task", "transfer", "onError"]) {
    assertThrows(
      () => pool.map([], { [name]: 1 }),
      TypeError,
      `Cannot compute items as '${name}' must be a function: current value is 1`,
    );
  }
});

Deno.test("WorkPool.map() yields every item exactly once, whatever the order of answers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.nat({ max: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.boolean(),
      fc.constantFrom(0.01, 5, 100),
      async (s, count, lookAhead, ordered, ms) => {
        const workers = new FakeWorkers((worker) => {
          worker.ms = ms;
          worker.listen((count) => {
            for (let i = 0; i < count; i++) {
              s.schedule(Promise.resolve()).then(() => worker.answer(1));
            }
          });
          worker.sayReady();
        });
        const { pool } = makePool({ workers: 3 }, workers);
        const bad = (i: number) => i % 7 === 3;
        const items = Array.from({ length: count }, (_, i) => i);
        const refused: number[] = [];
        const computed = await s.waitFor(Array.fromAsync(
          pool.map(items, {
            task: (i) => {
              if (bad(i)) throw new Error("bad");
              return i;
            },
            ordered,
            lookAhead,
            onError: (_, i) => refused.push(i),
          }),
        ));
        await pool.close();
        const yielded = computed.map(({ item }) => item);
        if (!ordered) yielded.sort((a, b) => a - b);
        assertEquals(yielded, items.filter((i) => !bad(i)));
        assertEquals(refused, items.filter(bad));
        assert(computed.every(({ item, result }) => result === `result of ${item}`));
        assertLessOrEqual(workers.all.length, 3);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("WorkPool.map() hands on in one message what it reads in one turn", async () => {
  const workers = new FakeWorkers((worker) => {
    worker.ms = 20 / 16;
    worker.sayReady();
  });
  const { pool } = makePool({ workers: 1 }, workers);
  assertEquals(await Promise.all([pool.run(0), workers.drain(pool)]), ["result of 0", undefined]);
  const { items } = numbers(80);
  const computed = Array.fromAsync(pool.map(items, { lookAhead: 32 }));
  await settle();
  const [worker] = workers.all;
  for (let i = 0; i < 5; i++) {
    worker.answer(16);
    await settle();
  }
  assertEquals(worker.groups, [1, 16, 16, 16, 16, 16]);
  assertEquals((await computed).length, 80);
  await pool.close();
});
