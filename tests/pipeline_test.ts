import { assert, assertEquals, assertRejects } from "@std/assert";
import { PoolClosedError, WorkError, WorkerStartError } from "../pool.ts";
import { type ItemEnd, PipelineError, type PipelineOptions, runPipeline } from "../pipeline.ts";
import { ControlledSend, isPending, rejection, settle, stillClock } from "./_helpers.ts";

/** Runs a pipeline to its failure. */
async function failureOf(running: Promise<unknown>): Promise<PipelineError> {
  const error = await rejection(running);
  assert(error instanceof PipelineError, String(error));
  return error;
}

/** A sink that saves everything. */
function savingSink<T>() {
  const saved: T[] = [];
  return { saved, sink: (rows: readonly T[]) => Promise.resolve(void saved.push(...rows)) };
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

Deno.test("runPipeline() computes and saves every item, and tells how each ended", async () => {
  const { saved, sink } = savingSink<number>();
  const ends = new Map<number, ItemEnd<number>>();
  const bad = new Error("one is bad");
  const account = await runPipeline(range(5), {
    compute(n) {
      if (n === 1) throw bad;
      return n === 2 ? null : n * 10;
    },
    sink,
    onEnd: (n, end) => void ends.set(n, end),
  });
  assertEquals(account, {
    ...{ read: 5, inserted: 3, updated: 0, skipped: 1, rejected: 1, unknown: 0, unfinished: 0 },
  });
  assertEquals(saved.sort((a, b) => a - b), [0, 30, 40]);
  assertEquals(ends.get(0), { outcome: "inserted", row: 0, index: 0 });
  assertEquals(ends.get(1), { outcome: "rejected", error: bad, index: 1 });
  assertEquals(ends.get(2), { outcome: "skipped", index: 2 });
});

Deno.test("runPipeline() skips or computes what the look-up finds", async () => {
  for (
    const [onExisting, expected] of [
      ["skip", { inserted: 2, skipped: 1, rejected: 0 }],
      ["compute", { inserted: 2, skipped: 0, rejected: 1 }],
    ] as const
  ) {
    const asked: (readonly unknown[])[] = [];
    const { inserted, skipped, rejected } = await runPipeline(range(3), {
      key: (n) => n,
      lookup: {
        send(keys) {
          asked.push(keys);
          return Promise.resolve(keys.map((key) => ({ key, row: key === 1 ? {} : undefined })));
        },
        // However busy the machine is, they are one question
        defaults: { maxItems: 3, linger: 60_000 },
      },
      onExisting,
      compute(n, { exists }) {
        if (exists) throw new Error(`${n} is there already`);
        return n;
      },
      sink: savingSink<number>().sink,
    });
    assertEquals(asked, [[0, 1, 2]]);
    assertEquals({ inserted, skipped, rejected }, expected);
  }
});

Deno.test("runPipeline() skips an item where one before it with the same key was saved", async () => {
  const { saved, sink } = savingSink<number>();
  const computed: number[] = [];
  // The first one is nothing to save, and the second one is refused.
  const { inserted, skipped, rejected } = await runPipeline(range(5), {
    key: () => "the same",
    compute(n) {
      computed.push(n);
      if (n === 1) throw new Error("bad");
      return n === 0 ? null : n;
    },
    sink,
  });
  assertEquals([computed, saved], [[0, 1, 2], [2]]);
  assertEquals([inserted, skipped, rejected], [1, 3, 1]);
});

Deno.test("runPipeline() reads no more than it may hold", async () => {
  let read = 0;
  function* source() {
    for (;;) yield read++;
  }
  const { calls, send } = new ControlledSend<number>();
  const stop = new AbortController();
  const running = runPipeline(source(), {
    compute: (n) => n,
    sink: { send, defaults: { maxItems: 2, maxInFlight: 1, linger: 60_000 } },
    maxPending: 6,
    signal: stop.signal,
  });
  await settle();
  assertEquals([read, calls.length], [6, 1]);
  calls[0].resolve();
  await settle();
  assertEquals([read, calls.length], [8, 2]);
  stop.abort();
  for (let i = 1; i < 4; i++) {
    calls[i].resolve();
    await settle();
  }
  assertEquals((await running).inserted, 8);
});

Deno.test("runPipeline() does not wait for company that cannot come", async () => {
  for (
    const [maxPending, second, sizes] of [
      [4, 1, [3]],
      [2, 1, [2, 1]],
      [4, null, [2]],
      [2, null, [2]],
    ] as const
  ) {
    const { calls, send } = new ControlledSend<number>();
    const computing = Promise.withResolvers<number | null>();
    const running = runPipeline(range(3), {
      compute: (n) => n === 1 ? computing.promise : n,
      sink: { send, defaults: { linger: 60_000 } },
      maxPending,
    });
    await settle();
    assertEquals(calls, []);
    computing.resolve(second);
    for (const [i, size] of sizes.entries()) {
      await settle();
      assertEquals(calls[i]?.items.length, size);
      calls[i].resolve();
    }
    assertEquals((await running).read, 3);
  }
});

Deno.test("runPipeline() sends a row at once for which the next of its key waits", async () => {
  const { calls, send } = new ControlledSend<number>();
  const running = runPipeline(range(2), {
    key: () => "the same",
    onExisting: "compute",
    compute: (n) => n,
    sink: { send, defaults: { linger: 60_000 } },
  });
  for (const n of range(2)) {
    await settle();
    assertEquals(calls[n]?.items, [n]);
    calls[n].resolve();
  }
  assertEquals((await running).inserted, 2);
});

Deno.test("runPipeline() saves at the signal what is computed, and computes no more", async () => {
  const { calls, send } = new ControlledSend<number>();
  const stop = new AbortController();
  const computing = new Map<number, PromiseWithResolvers<number>>();
  let returned = false;
  async function* source() {
    try {
      yield* range(5);
    } finally {
      returned = true;
    }
  }
  const running = runPipeline(source, {
    maxPending: 3,
    compute(n, { signal }) {
      const one = Promise.withResolvers<number>();
      signal.addEventListener("abort", () => one.reject(signal.reason));
      computing.set(n, one);
      return one.promise;
    },
    sink: { send, defaults: { linger: 0 } },
    signal: stop.signal,
  });
  await settle();
  computing.get(1)!.resolve(1);
  await settle();
  assertEquals(calls.map(({ items }) => items), [[1]]);
  stop.abort();
  await settle();
  assert(returned);
  assertEquals(await isPending(running), true);
  calls[0].resolve();
  const { read, inserted, unfinished } = await running;
  assertEquals([read, inserted, unfinished, computing.size], [3, 1, 2, 3]);
});

Deno.test("runPipeline() does not wait for a source that is silent, or a look-up, once it is to stop", async () => {
  for (const silent of ["source", "lookup"]) {
    const stop = new AbortController();
    const asked = Promise.withResolvers<void>();
    const never = () => (asked.resolve(), new Promise<never>(() => {}));
    const source = async function* () {
      yield 1;
      if (silent === "source") await never();
    };
    const running = runPipeline(source(), {
      key: (n) => n,
      lookup: {
        send: silent === "lookup" ? never : (keys) =>
          Promise.resolve(keys.map(
            (key) => ({ key, row: undefined }),
          )),
      },
      compute: (n) => n,
      sink: savingSink<number>().sink,
      signal: stop.signal,
    });
    await asked.promise;
    stop.abort();
    const { read, inserted, unfinished } = await running;
    assertEquals([read, inserted + unfinished], [1, 1]);
  }
});

Deno.test("runPipeline() gives up saving when the grace period is over, without an error", async () => {
  const { calls, send } = new ControlledSend<number>();
  const stop = new AbortController();
  const running = runPipeline(range(3), {
    compute: (n) => n,
    sink: { send, defaults: { maxItems: 2, maxInFlight: 1, linger: 60_000 } },
    gracePeriod: 1,
    signal: stop.signal,
  });
  await settle();
  assertEquals(calls.length, 1);
  stop.abort();
  const { unknown, unfinished } = await running;
  assertEquals([unknown, unfinished], [2, 1]);
});

Deno.test("runPipeline() stops when a pool is closed or cannot start a worker", async () => {
  for (
    const error of [
      new PoolClosedError("closed"),
      new WorkerStartError("no worker"),
    ]
  ) {
    const { saved, sink } = savingSink<number>();
    const { account, cause } = await failureOf(runPipeline(range(10), {
      compute(n) {
        if (n === 3) throw error;
        return n;
      },
      sink,
      maxPending: 5,
    }));
    assertEquals([cause, account.rejected], [error, 0]);
    assertEquals([account.inserted, saved.length], [3, 3]);
    assertEquals(account.read, 3 + account.unfinished);
  }
});

Deno.test("runPipeline() rejects the item alone whose worker has died", async () => {
  const { inserted, rejected } = await runPipeline(range(3), {
    compute(n) {
      if (n === 1) throw new WorkError("died", { item: n, reason: "died" });
      return n;
    },
    sink: savingSink<number>().sink,
  });
  assertEquals([inserted, rejected], [2, 1]);
});

Deno.test("runPipeline() brings to its end what was read before the source failed", async () => {
  function* source() {
    yield* range(3);
    throw new Error("damaged");
  }
  const { saved, sink } = savingSink<number>();
  const error = await failureOf(runPipeline(source(), { compute: (n) => n, sink }));
  assertEquals(error.message, "Cannot finish a pipeline: damaged");
  assertEquals([error.account.read, error.account.inserted, saved.length], [3, 3, 3]);
});

Deno.test("runPipeline() stops when the sink refuses for good, and goes on when an answer is lost", async () => {
  using _clock = stillClock();
  for (
    const { error, expected } of [
      { error: new Error("no table"), expected: { unknown: 0, inserted: 2 } },
      {
        error: Object.assign(new Error("lost"), { outcome: "unknown" }),
        expected: { unknown: 2, inserted: 4 },
      },
      {
        error: Object.assign(new Error("bad row"), { bisectable: true }),
        expected: { unknown: 0, inserted: 4 },
      },
    ]
  ) {
    let calls = 0;
    // What is out when the sink refuses is waited for, and the rest is not sent.
    const running = runPipeline(range(6), {
      compute: (n) => n,
      sink: {
        send: () => calls++ === 0 ? Promise.reject(error) : Promise.resolve(),
        // However busy the machine is, two make a batch
        defaults: { maxItems: 2, maxInFlight: 1, linger: 60_000 },
      },
    });
    if ("bisectable" in error) {
      const { rejected, inserted } = await running;
      assertEquals([rejected, inserted], [2, 4]);
      continue;
    }
    const { account: { read, unknown, unfinished, inserted }, cause } = await failureOf(running);
    assertEquals([{ unknown, inserted }, cause], [expected, error]);
    assertEquals(read, unknown + unfinished + inserted);
  }
});

Deno.test("runPipeline() sends nothing after a refusal for good, waits for what is out, and tells why", async () => {
  using _clock = stillClock();
  const { calls, send } = new ControlledSend<number>();
  const error = new Error("no table");
  const ends: ItemEnd[] = [];
  let reports = 0;
  const running = failureOf(runPipeline(range(8), {
    compute: (n) => n,
    sink: {
      send,
      defaults: {
        maxItems: 2,
        maxInFlight: 3,
        linger: 60_000,
        retry: { isRetryable: (one) => one !== error },
        onBatch: () => void reports++,
      },
    },
    onEnd: (_item, end) => void ends.push(end),
  }));
  await settle();
  assertEquals(calls.map(({ items }) => items), [[0, 1], [2, 3], [4, 5]]);
  // They would be sent again.
  const busy = Object.assign(new Error("busy"), { retryable: true, retryAfter: 30_000 });
  calls[0].reject(busy);
  await settle();
  assertEquals(calls[3].items, [6, 7]);
  calls[1].reject(error);
  calls[3].resolve([busy, new Error("bad")]);
  assert(await isPending(running));
  calls[2].resolve();
  const { cause } = await running;
  assertEquals([cause, calls.length, reports], [error, 4, 4]);
  const outcomes = ends.sort((a, b) => a.index - b.index).map(({ outcome }) => outcome);
  const [unfinished, inserted] = ["unfinished", "inserted"];
  assertEquals(outcomes, [
    ...[unfinished, unfinished, unfinished, unfinished],
    ...[inserted, inserted, unfinished, "rejected"],
  ]);
});

Deno.test("runPipeline() reads nothing where the sink cannot work", async () => {
  let read = 0;
  const source = function* () {
    yield read++;
  };
  const { account, cause } = await failureOf(runPipeline(source(), {
    compute: (n) => n,
    sink: { send: async () => {}, check: () => Promise.reject(new Error("no table")) },
  }));
  assertEquals([read, account.read, (cause as Error).message], [0, 0, "no table"]);
});

Deno.test("runPipeline() stops when nobody can be told how an item ended", async () => {
  const { account, cause } = await failureOf(runPipeline(range(10), {
    compute: (n) => n,
    sink: savingSink<number>().sink,
    maxPending: 1,
    onEnd: () => Promise.reject(new Error("the disk is full")),
  }));
  assertEquals([account.read, (cause as Error).message], [1, "the disk is full"]);
});

Deno.test("runPipeline() lets timers fire while it computes on this thread", async () => {
  let fired = 0;
  const timer = setInterval(() => fired++, 1);
  await runPipeline(range(20), {
    compute(n) {
      const end = performance.now() + 6;
      while (performance.now() < end);
      return n;
    },
    sink: savingSink<number>().sink,
  });
  clearInterval(timer);
  assert(fired >= 10, `${fired} times`);
});

Deno.test("runPipeline() refuses what cannot work", async () => {
  const good = { compute: (n: number) => n, sink: async () => {} };
  const cases: [options: unknown, error: ErrorConstructor, message: string][] = [
    [{ ...good, compute: 1 }, TypeError, "'compute' must be a function: current value is 1"],
    [{ ...good, sink: {} }, TypeError, "'sink.send' must be a function"],
    [{ ...good, lookup: { send: good.sink } }, TypeError, "'lookup' needs 'key', which is missing"],
    [
      { ...good, onExisting: "update" },
      TypeError,
      `'onExisting' must be "skip" or "compute": current`,
    ],
    [{ ...good, maxPending: 0 }, RangeError, "'maxPending' must be a positive integer"],
    [{ ...good, gracePeriod: -1 }, RangeError, "'gracePeriod' must be a number of milliseconds"],
  ];
  for (const [options, error, message] of cases) {
    await assertRejects(
      () => runPipeline([1], options as PipelineOptions<number, number>),
      error,
      message,
    );
  }
  await assertRejects(
    () => runPipeline(1 as never, good),
    TypeError,
    "'source' must be iterable: current value is 1",
  );
});
