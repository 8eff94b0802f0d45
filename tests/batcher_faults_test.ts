import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import vm from "node:vm";
import {
  type Account,
  AsyncBatcher,
  type BatchReport,
  FlushError,
  type Send,
  UnknownOutcomeError,
  UnsentError,
} from "../batcher.ts";
import { ControlledSend, fakeClock, isPending, rejection, settle, stillClock } from "./_helpers.ts";

const firstLetter = (item: string) => item[0];

function fine(): Promise<void> {
  return Promise.resolve();
}

function sum({ saved, failed, unknown, unsent }: Account): number {
  return saved + failed + unknown + unsent;
}

/** Values that throw at whoever looks at them. */
function hostile(): unknown[] {
  const throwing = () => {
    throw new Error("do not look");
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return [
    {
      get outcome() {
        return throwing();
      },
    },
    {
      get then() {
        return throwing();
      },
    },
    new Proxy({}, { get: throwing, getPrototypeOf: throwing, has: throwing }),
    proxy,
    Object.create(null),
    Symbol("a symbol"),
    3n,
    null,
  ];
}

Deno.test("AsyncBatcher with orderingKey sends another key while one hangs", async () => {
  const { send, calls } = new ControlledSend<string>();
  const batcher = new AsyncBatcher(send, { orderingKey: firstLetter });
  for (const item of ["a1", "a2", "b1"]) {
    batcher.push(item);
    await settle();
  }
  assertEquals(calls.map(({ items }) => items), [["a1"], ["b1"]]);
  await batcher.abort();
});

Deno.test("AsyncBatcher.add() with a bad argument harms nobody else's item", async () => {
  const bad: [unknown, string | undefined][] = [
    [{ signal: null }, undefined],
    [{ signal: 1 }, "Cannot add an item as 'signal' must be an AbortSignal: current value is 1"],
    [
      { signal: {} },
      "Cannot add an item as 'signal' must be an AbortSignal: current value is an object",
    ],
    [{
      get signal() {
        throw new Error("no signal for you");
      },
    }, "no signal for you"],
    [{
      signal: Object.assign(new EventTarget(), {
        aborted: false,
        throwIfAborted() {},
        addEventListener() {
          throw new Error("nobody listens");
        },
      }),
    }, "nobody listens"],
  ];
  for (const [options, message] of bad) {
    const batcher = new AsyncBatcher<string>(fine);
    const mine = batcher.add("mine");
    const theirs = batcher.add("theirs", options as never);
    if (message === undefined) await theirs;
    else assertEquals((await rejection(theirs) as Error).message, message);
    await mine;
    assertEquals((await batcher.close()).saved, message === undefined ? 2 : 1);
  }
});

Deno.test("AsyncBatcher.add() refuses a size that is no number, and goes on", async () => {
  for (const wrong of [3n, "3", true, null, {}, NaN]) {
    let sizes = 0;
    const batcher = new AsyncBatcher<number>(fine, {
      sizeOf: () => sizes++ === 1 ? wrong as number : 1,
      maxBytes: 10,
    });
    const first = batcher.add(1);
    assertInstanceOf(await rejection(batcher.add(2)), RangeError);
    await Promise.all([first, batcher.add(3)]);
    assertEquals(await batcher.close(), { added: 2, saved: 2, failed: 0, unknown: 0, unsent: 0 });
  }
});

Deno.test("AsyncBatcher settles every item whatever a sink rejects with, throws or answers", async () => {
  for (const value of hostile()) {
    const sends: Send<number, unknown>[] = [
      () => Promise.reject(value),
      () => {
        throw value;
      },
      () => value as Promise<unknown[]>,
      () => Promise.resolve([value, 1]),
      () => Promise.resolve(new Proxy([1, 2], { get: () => value }) as unknown[]),
      (items) => Promise.resolve(items.map(() => Promise.reject(value))),
    ];
    for (const send of sends) {
      const batcher = new AsyncBatcher(send, { retry: { minDelay: 0 }, bisect: true });
      const added = batcher.add(0).then(() => {}, () => {});
      batcher.push(1);
      const flushed = await batcher.flush().catch((error) => error);
      if (flushed !== undefined) assertInstanceOf(flushed, FlushError);
      await added;
      const account = await batcher.close();
      assertEquals(sum(account), 2);
    }
  }
});

Deno.test("AsyncBatcher takes a thrown error whose outcome is unknown at its word", async () => {
  let calls = 0;
  const batcher = new AsyncBatcher<number>(() => {
    calls++;
    throw new UnknownOutcomeError("sent, and then it broke");
  }, { retry: { minDelay: 0 } });
  await rejection(batcher.add(1));
  assertEquals((await batcher.close()).unknown, 1);
  assertEquals(calls, 1);
});

Deno.test("AsyncBatcher does not call an item failed that an unanswered attempt may have saved", async () => {
  const busy = new Error("429");
  const refused = Object.assign(new Error("a bad item"), { bisectable: true });
  for (const [error, outcome] of [[busy, "unknown"], [refused, "failed"]] as const) {
    let calls = 0;
    const send: Send<number> = () =>
      ++calls === 1 ? new Promise(() => {}) : Promise.resolve([error]);
    const batcher = new AsyncBatcher(send, {
      idempotent: true,
      timeout: 5,
      retry: { minDelay: 0 },
    });
    await rejection(batcher.add(1));
    assertEquals((await batcher.close())[outcome], 1);
  }
});

Deno.test("AsyncBatcher keeps one item's doubt from its neighbour", async () => {
  const lost = Object.assign(new Error("lost"), { outcome: "unknown", retryable: true });
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const no = new Error("no");
  const answers = new Map([["a", [lost, no]], ["b", [busy, no]]]);
  const batcher = new AsyncBatcher<string>(
    (items) => Promise.resolve(items.map((item) => answers.get(item)!.shift()!)),
    { idempotent: true, retry: { minDelay: 0 } },
  );
  const [a, b] = await Promise.all(["a", "b"].map((item) => rejection(batcher.add(item))));
  assertInstanceOf(a, UnknownOutcomeError);
  assertStrictEquals(b, no);
  await batcher.close();
});

Deno.test("AsyncBatcher.abort() from inside a hook or a question ends the pause", async () => {
  for (const where of ["onBatch", "isRetryable"]) {
    const abort = () => {
      void batcher.abort();
      return true;
    };
    const batcher: AsyncBatcher<number> = new AsyncBatcher<number>(
      () => Promise.reject(new Error("busy")),
      {
        onBatch: where === "onBatch" ? abort : undefined,
        retry: {
          minDelay: 1_000_000,
          maxDelay: 1_000_000,
          deadline: Infinity,
          isRetryable: where === "onBatch" ? undefined : abort,
        },
      },
    );
    await rejection(batcher.add(1));
    assertEquals((await batcher.close()).failed, 1);
  }
});

Deno.test("AsyncBatcher.push() that waits settles when its own dispatch reaches an abort()", async () => {
  const controlled = new ControlledSend<number>();
  let slots = 0;
  const batcher: AsyncBatcher<number> = new AsyncBatcher<number>((items, batch) => {
    if (++slots === 2) void batcher.abort();
    return controlled.send(items, batch);
  }, { maxItems: 2, maxQueued: 1, maxInFlight: 2, linger: 60_000 });
  batcher.push(1);
  const pushed = await Promise.allSettled([batcher.push(2), batcher.push(3), batcher.push(4)]);
  assertEquals(pushed.length, 3);
  assertEquals(sum(await batcher.close()), (await batcher.close()).added);
});

Deno.test("AsyncBatcher does not accept an item whose own functions abort the batcher", async () => {
  for (const name of ["sizeOf", "orderingKey", "groupBy"]) {
    const batcher: AsyncBatcher<number> = new AsyncBatcher<number>(fine, {
      [name]: () => {
        void batcher.abort();
        return 1;
      },
    });
    assertInstanceOf(await rejection(batcher.add(1)), UnsentError);
    assertEquals(sum(await batcher.close()), 0);
  }
});

Deno.test("AsyncBatcher waits for promises among the results", async () => {
  using _clock = stillClock();
  const gate = Promise.withResolvers<void>();
  const no = new Error("two is taken");
  const batcher = new AsyncBatcher<number, string>((items) =>
    Promise.resolve(items.map(async (item) => {
      await gate.promise;
      if (item === 2) throw no;
      return `saved ${item}`;
    }) as never)
  );
  const ends = Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)));
  assert(await isPending(ends));
  assertEquals(batcher.inFlight, 1);
  gate.resolve();
  assertEquals(await ends, [
    { status: "fulfilled", value: "saved 1" },
    { status: "rejected", reason: no },
    { status: "fulfilled", value: "saved 3" },
  ]);
  assertEquals((await batcher.close()).failed, 1);
});

Deno.test("AsyncBatcher takes an error of another realm for an error", async () => {
  const foreign = vm.runInNewContext("new RangeError('from elsewhere')");
  assert(!(foreign instanceof Error));
  const batcher = new AsyncBatcher<number>(() => Promise.resolve([foreign]));
  assertStrictEquals(await rejection(batcher.add(1)), foreign);
  assertEquals((await batcher.close()).failed, 1);
});

Deno.test("AsyncBatcher settles 130,000 batches that are out at once", async () => {
  const gate = Promise.withResolvers<void>();
  const batcher = new AsyncBatcher<number>(() => gate.promise, {
    maxItems: 1,
    maxInFlight: 130_000,
    maxQueued: Infinity,
    timeout: 2 ** 31 - 1,
  });
  for (let i = 0; i < 130_000; i++) batcher.push(i);
  assertEquals(batcher.inFlight, 130_000);
  const flushed = batcher.flush();
  gate.resolve();
  await flushed;
  assertEquals((await batcher.close()).saved, 130_000);
});

Deno.test("AsyncBatcher takes the largest bounds", async () => {
  for (const bound of [Number.MAX_SAFE_INTEGER, Infinity]) {
    const batcher = new AsyncBatcher<number>(fine, { maxItems: bound, maxInFlight: bound });
    for (let i = 0; i < 2_000; i++) await batcher.push(i);
    assertEquals((await batcher.close()).saved, 2_000);
  }
});

Deno.test("AsyncBatcher goes on when a send function changes its array", async () => {
  const busy = Object.assign(new Error("busy"), { retryable: true });
  let calls = 0;
  const seen: number[] = [];
  const batcher = new AsyncBatcher<number>((items) => {
    seen.push(...items);
    (items as number[]).length = 0;
    return ++calls === 1 ? Promise.reject(busy) : Promise.resolve();
  }, { retry: { minDelay: 0 } });
  await Promise.all([batcher.add(1), batcher.add(2)]);
  assertEquals(seen, [1, 2, 1, 2]);
  await batcher.close();
});

Deno.test("AsyncBatcher tells at once of an item that was saved beside one that is tried again", async () => {
  const { send, calls } = new ControlledSend<string, string>();
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const batcher = new AsyncBatcher(send, {
    maxInFlight: 1,
    retry: { minDelay: 1_000_000, maxDelay: 1_000_000, deadline: Infinity },
  });
  const [a, b] = [batcher.add("a"), rejection(batcher.add("b"))];
  await settle();
  calls[0].resolve(["A", busy]);
  assertEquals(await a, "A");
  // And the slot is free for others.
  const c = batcher.add("c");
  await settle();
  assertEquals(calls[1].items, ["c"]);
  calls[1].resolve(["C"]);
  assertEquals(await c, "C");
  await batcher.abort();
  assertStrictEquals(await b, busy);
});

Deno.test("AsyncBatcher sends items again together with new ones", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const reports: BatchReport[] = [];
  const busy = Object.assign(new Error("busy"), { retryable: true });
  const batcher = new AsyncBatcher<string>(send as Send<string>, {
    maxItems: 3,
    linger: 60_000,
    retry: { minDelay: 10, maxDelay: 10 },
    onBatch: (report) => reports.push(report),
  });
  for (const item of ["a", "b", "c"]) batcher.push(item);
  calls[0].resolve([undefined as never, busy, undefined as never]);
  await clock.tickAsync(0);
  batcher.push("d");
  await clock.tickAsync(10);
  assertEquals(calls[1].items, ["d", "b"]);
  assertEquals([calls[1].batch.attempt, calls[1].batch.unanswered], [2, false]);
  calls[1].resolve();
  await clock.tickAsync(0);
  assertEquals(reports.map(({ attempt, size }) => [attempt, size]), [[1, 3], [2, 2]]);
  assertEquals((await batcher.close()).saved, 4);
});

Deno.test("AsyncBatcher keeps items that may be there already apart from new ones", async () => {
  using clock = fakeClock();
  const { send, calls } = new ControlledSend<string>();
  const lost = Object.assign(new Error("lost"), { outcome: "unknown", retryable: true });
  const batcher = new AsyncBatcher<string>(send as Send<string>, {
    maxItems: 2,
    linger: 60_000,
    idempotent: true,
    retry: { minDelay: 10, maxDelay: 10 },
  });
  for (const item of ["a", "b"]) batcher.push(item);
  calls[0].resolve([undefined as never, lost]);
  await clock.tickAsync(0);
  batcher.push("c");
  await clock.tickAsync(10);
  assertEquals([calls[1].items, calls[1].batch.unanswered], [["b"], true]);
  calls[1].resolve();
  const closed = batcher.close();
  await clock.tickAsync(0);
  assertEquals([calls[2].items, calls[2].batch.unanswered], [["c"], false]);
  calls[2].resolve();
  assertEquals((await closed).saved, 3);
});

Deno.test("AsyncBatcher sends others while batches wait to be sent again", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, {
    maxItems: 1,
    maxInFlight: 2,
    retry: { minDelay: 1_000_000, maxDelay: 1_000_000, deadline: Infinity },
  });
  for (const item of [0, 1]) batcher.push(item);
  for (const call of calls) call.reject(new Error("busy"));
  await settle();
  assertEquals([batcher.inFlight, batcher.size], [0, 2]);
  const added = batcher.add(2);
  calls[2].resolve();
  await added;
  await batcher.abort();
});

Deno.test("AsyncBatcher.push() waits for room where too much is to be sent again", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("down")), {
    maxItems: 1,
    maxInFlight: 4,
    retry: { minDelay: 1_000_000, maxDelay: 1_000_000, deadline: Infinity },
  });
  let pushed = 0;
  const loop = (async () => {
    for (; pushed < 1_000; pushed++) {
      await batcher.push(pushed);
      await settle();
    }
  })().catch(() => {});
  while (batcher.desiredSize > 0) await settle();
  const before = pushed;
  for (let i = 0; i < 9; i++) await settle();
  assert(pushed <= before + 1, `${pushed - before} more were pushed`);
  assert(batcher.size >= 16 && batcher.size <= 21, `${batcher.size} items are queued`);
  await batcher.abort();
  await loop;
});
