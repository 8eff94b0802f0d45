import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import * as fc from "fast-check";
import { AsyncBatcher, type BatchReport, type Send } from "../batcher.ts";
import { ControlledSend, rejection, settle } from "./_helpers.ts";

class Refusal extends Error {
  constructor(readonly bisectable: boolean | undefined, readonly bad: readonly number[]) {
    super(`refused because of ${bad}`);
  }
}

/** Refuses a batch that holds a bad item, as a database does that saves all of a batch or nothing. */
function atomicSend(isBad: (item: number) => boolean, bisectable: boolean | "not said" = true) {
  const batches: number[][] = [];
  const saved: number[] = [];
  // deno-lint-ignore require-await
  const send: Send<number> = async (items) => {
    batches.push([...items]);
    const bad = items.filter(isBad);
    if (bad.length > 0) throw new Refusal(bisectable === "not said" ? undefined : bisectable, bad);
    saved.push(...items);
  };
  return { send, batches, saved };
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

Deno.test("AsyncBatcher with bisect saves all but the bad item, which gets its own error", async () => {
  const { send, saved } = atomicSend((item) => item === 5);
  const batcher = new AsyncBatcher(send, { bisect: true, maxItems: 8, linger: 60_000 });
  const ends = await Promise.allSettled(range(8).map((item) => batcher.add(item)));
  assertEquals(ends.map(({ status }) => status === "rejected"), range(8).map((i) => i === 5));
  assertEquals((ends[5] as PromiseRejectedResult).reason.bad, [5]);
  assertEquals(saved.sort(), [0, 1, 2, 3, 4, 6, 7]);
  assertEquals(await batcher.close(), { added: 8, saved: 7, failed: 1, unknown: 0, unsent: 0 });
});

Deno.test("AsyncBatcher with bisect finds one bad item among n in O(log n) calls", async () => {
  for (const n of [2, 3, 100, 500, 1024]) {
    let most = 0;
    for (const bad of new Set([0, 1, n >> 1, n - 2, n - 1])) {
      const { send, batches, saved } = atomicSend((item) => item === bad);
      const batcher = new AsyncBatcher(send, { bisect: true, maxItems: n, linger: 60_000 });
      for (const item of range(n)) batcher.push(item);
      const { failures = [] } = await batcher.close();
      assertEquals(failures.map(({ item }) => item), [bad]);
      assertEquals(saved.length, n - 1);
      most = Math.max(most, batches.length);
    }
    assert(most <= 1 + 2 * Math.ceil(Math.log2(n)), `${most} calls for ${n} items`);
  }
});

Deno.test("AsyncBatcher with bisect sends the halves at once, each in a slot of its own", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, {
    bisect: true,
    maxInFlight: 2,
    maxItems: 4,
    linger: 60_000,
  });
  for (const item of range(4)) batcher.push(item);
  await settle();
  calls[0].reject(new Refusal(true, [3]));
  await settle();
  assertEquals(calls.map(({ items }) => items), [range(4), [0, 1], [2, 3]]);
  calls[2].reject(new Refusal(true, [3]));
  await settle();
  calls[3].resolve();
  await settle();
  calls[4].reject(new Refusal(true, [3]));
  calls[1].resolve();
  assertEquals((await batcher.close()).saved, 3);
});

Deno.test("AsyncBatcher with bisect saves every good item and refuses every bad one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 3 }),
      async (bad, maxItems, maxInFlight) => {
        const { send, saved } = atomicSend((item) => bad[item]);
        const batcher = new AsyncBatcher(send, { bisect: true, maxItems, maxInFlight });
        const errors = await Promise.all(
          bad.map((_, item) => batcher.add(item).then(() => undefined, (error) => error.bad)),
        );
        assertEquals(errors, bad.map((isBad, item) => isBad ? [item] : undefined));
        assertEquals(saved.sort((a, b) => a - b), range(bad.length).filter((i) => !bad[i]));
      },
    ),
  );
});

Deno.test("AsyncBatcher without bisect lets the whole batch fail", async () => {
  const { send, batches } = atomicSend((item) => item === 1);
  const batcher = new AsyncBatcher(send, { linger: 60_000 });
  for (const item of range(4)) batcher.push(item);
  assertEquals((await batcher.close()).failed, 4);
  assertEquals(batches.length, 1);
});

Deno.test("AsyncBatcher with bisect does not split what was not refused because of its data", async () => {
  const errors = [
    new Refusal(false, []),
    new TypeError("fetch failed"),
    Object.assign(new Error("no connection"), { retryable: true }),
    Object.assign(new Error("lost"), { outcome: "unknown" }),
  ];
  for (const error of errors) {
    let calls = 0;
    const batcher = new AsyncBatcher<number>(() => (calls++, Promise.reject(error)), {
      bisect: true,
      maxItems: 4,
      linger: 60_000,
    });
    const ends = await Promise.all(range(4).map((item) => rejection(batcher.add(item))));
    for (const end of ends) assertStrictEquals(end, error);
    assertEquals(calls, 1);
  }
});

Deno.test("AsyncBatcher with bisect splits an error that does not say what it is about, after the retries", async () => {
  const { send, batches, saved } = atomicSend((item) => item === 1, "not said");
  const batcher = new AsyncBatcher(send, {
    bisect: true,
    linger: 60_000,
    retry: { maxAttempts: 2, minDelay: 0 },
  });
  for (const item of range(2)) batcher.push(item);
  const { failures = [] } = await batcher.close();
  assertEquals(failures.map(({ item }) => item), [1]);
  assertEquals(saved, [0]);
  assertEquals(batches, [[0, 1], [0, 1], [0], [1]]);
});

Deno.test("AsyncBatcher asks the bisect function, and takes its throwing for a no", async () => {
  for (
    const [bisect, failed] of [
      [(error: unknown) => error instanceof Refusal, 1],
      [() => false, 4],
      [() => {
        throw new Error("broken");
      }, 4],
    ] as const
  ) {
    const batcher = new AsyncBatcher(atomicSend((item) => item === 1, false).send, {
      bisect,
      linger: 60_000,
    });
    for (const item of range(4)) batcher.push(item);
    assertEquals((await batcher.close()).failed, failed);
  }
});

Deno.test("AsyncBatcher with bisect finds a bad item in O(log n) calls also where errors say nothing and are retried", async () => {
  for (const n of [2, 3, 100, 500]) {
    const { send, batches } = atomicSend((item) => item === n >> 1, "not said");
    const retry = { maxAttempts: 5, minDelay: 0 };
    const batcher = new AsyncBatcher(send, {
      bisect: true,
      maxItems: n,
      linger: 60_000,
      retry,
    });
    for (const item of range(n)) batcher.push(item);
    assertEquals((await batcher.close()).failed, 1);
    assert(batches.length <= 5 + 2 * Math.ceil(Math.log2(n)), `${batches.length} calls for ${n}`);
  }
});

Deno.test("AsyncBatcher with bisect lets each half end as the sink says of it", async () => {
  const lost = Object.assign(new Error("no connection"), { bisectable: false });
  let calls = 0;
  const batcher = new AsyncBatcher<number>(
    () => Promise.reject(++calls === 1 ? new Refusal(true, [3]) : lost),
    { bisect: true, maxItems: 8, linger: 60_000 },
  );
  const ends = await Promise.all(range(8).map((item) => rejection(batcher.add(item))));
  assertEquals(calls, 3);
  for (const end of ends) assertStrictEquals(end, lost);
});

Deno.test("AsyncBatcher with bisect retries a part on its own", async () => {
  const { send, saved } = atomicSend((item) => item === 0);
  let calls = 0;
  const batcher = new AsyncBatcher<number>((items, batch) => {
    if (++calls === 3) throw Object.assign(new Error("busy"), { retryable: true });
    return send(items, batch);
  }, { bisect: true, linger: 60_000, retry: { minDelay: 0 } });
  for (const item of range(4)) batcher.push(item);
  assertEquals((await batcher.close()).failed, 1);
  assertEquals(saved.sort(), [1, 2, 3]);
});

Deno.test("AsyncBatcher with bisect starts to count the attempts at a part anew", async () => {
  const { send, saved } = atomicSend((item) => item === 0);
  let calls = 0;
  const batcher = new AsyncBatcher<number>((items, batch) => {
    if (++calls === 3) throw Object.assign(new Error("busy"), { retryable: true });
    return send(items, batch);
  }, { bisect: true, linger: 60_000, retry: { maxAttempts: 2, minDelay: 0 } });
  for (const item of range(2)) batcher.push(item);
  assertEquals((await batcher.close()).failed, 1);
  assertEquals(saved, [1]);
});

Deno.test("AsyncBatcher.abort() ends a bisection, and each item ends as what is known of it", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, {
    bisect: true,
    maxInFlight: 1,
    maxItems: 8,
    linger: 60_000,
  });
  const ends = range(8).map((item) => batcher.add(item).then(() => undefined, (error) => error));
  await settle();
  calls[0].reject(new Refusal(true, [5]));
  await settle();
  calls[1].resolve();
  await settle();
  calls[2].reject(new Refusal(true, [5]));
  await settle();
  assertEquals(calls.map(({ items }) => items.length), [8, 4, 4, 2]);
  const account = await batcher.abort();
  const errors = await Promise.all(ends);
  assertEquals(errors.map((error) => error?.outcome ?? "saved"), [
    ...Array(4).fill("saved"),
    ...Array(2).fill("unknown"),
    ...Array(2).fill("failed"),
  ]);
  assertEquals(
    errors[7]?.message,
    "Cannot save an item as its batch was refused, and then it was not sent alone: refused because of 5",
  );
  assertEquals(account, { added: 8, saved: 4, failed: 2, unknown: 2, unsent: 0 });
  assertEquals(calls.length, 4);
});

Deno.test("AsyncBatcher takes a refused item for failed although an earlier attempt went unanswered", async () => {
  const { send, calls } = new ControlledSend<number>();
  const batcher = new AsyncBatcher(send, {
    bisect: true,
    idempotent: true,
    retry: { minDelay: 0 },
  });
  const ends = range(2).map((item) => batcher.add(item).then(() => "saved", (error) => error));
  await settle();
  const lost = Object.assign(new Error("lost"), { outcome: "unknown" });
  while (calls.length < 2) {
    calls[0].reject(lost);
    await settle();
  }
  const refusal = new Refusal(true, [1]);
  calls[1].reject(refusal);
  await settle();
  assertEquals(calls[2].batch.attempt, 3);
  calls[2].resolve();
  await settle();
  calls[3].reject(refusal);
  assertEquals(await Promise.all(ends), ["saved", refusal]);
});

Deno.test("AsyncBatcher reports every call of a bisection, and from which batch its items are", async () => {
  const reports: BatchReport[] = [];
  const ids: string[] = [];
  const { send } = atomicSend((item) => item === 3);
  const batcher = new AsyncBatcher<number>((items, batch) => {
    ids.push(batch.id);
    return send(items, batch);
  }, {
    bisect: true,
    linger: 60_000,
    sizeOf: (item) => item,
    onBatch: (report) => reports.push(report),
  });
  for (const item of range(4)) batcher.push(item);
  await batcher.close();
  assertEquals(
    reports.map(({ size, bytes, attempt, outcome, split, retried }) => ({
      size,
      bytes,
      attempt,
      outcome,
      split,
      retried,
    })),
    [
      { size: 4, bytes: 6, attempt: 1, outcome: "failed", split: true, retried: false },
      { size: 2, bytes: 1, attempt: 2, outcome: "saved", split: false, retried: false },
      { size: 2, bytes: 5, attempt: 2, outcome: "failed", split: true, retried: false },
      { size: 1, bytes: 2, attempt: 3, outcome: "saved", split: false, retried: false },
      { size: 1, bytes: 3, attempt: 3, outcome: "failed", split: false, retried: false },
    ],
  );
  assertEquals(reports.map(({ id }) => id), ids);
  assertEquals(new Set(ids).size, 5);
  assertEquals(
    reports.map(({ splitFrom }) => splitFrom),
    [undefined, ids[0], ids[0], ids[2], ids[2]],
  );
});
