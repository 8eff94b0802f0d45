import { assertEquals, assertRejects } from "@std/assert";
import { headers } from "@nats-io/transport-node";
import { writeJob } from "../scripts/queue/job.ts";
import { JobKey } from "../scripts/queue/key.ts";
import { nextTurn } from "../_internal/shared/event_loop.ts";
import { WorkError, WorkerStartError } from "../pool.ts";
import { PipelineError } from "../pipeline.ts";
import type { Message } from "../scripts/queue/job_source.ts";
import type { HashPool } from "../hash_pool.ts";
import { ScriptError } from "../scripts/cli/run.ts";
import { hashWork } from "../scripts/queue/hash_work.ts";
import { rowWork } from "../scripts/queue/row_work.ts";
import { type Totals, workOff, type WorkOptions } from "../scripts/queue/queue_worker.ts";
import { HEADERS } from "../scripts/queue/streams.ts";

const key = await JobKey.from(new Uint8Array(32).fill(1));

/** A job as the stream has it; `ack` is called when it is done. */
async function makeMessage(seq: number, ack: () => void): Promise<Message> {
  const name = await key.jobId(`${seq}`);
  const head = headers();
  head.set(HEADERS.id, name);
  const data = await key.seal(name, writeJob({ id: `${seq}`, password: "Secret", carried: {} }));
  const info = { deliveryCount: 1 };
  return { data, headers: head, seq, info, ack, nak() {}, working() {} };
}

/** Works at a queue that delivers nothing. */
async function workAtEmptyQueue(
  { pool = { hash: () => Promise.resolve("hash") }, ...options }:
    & Pick<WorkOptions, "findLeftovers" | "isEmpty">
    & Partial<WorkOptions>
    & { readonly pool?: Pick<HashPool, "hash"> },
  onFetch = () => {},
): Promise<Totals> {
  const nothing = Object.assign((async function* () {})(), { stop() {} });
  const totals = { saved: 0, skipped: 0, dead: 0, returned: 0 };
  await workOff({
    consumer: {
      fetch() {
        onFetch();
        return Promise.resolve(nothing as never);
      },
    },
    key,
    ...hashWork(pool, { table: "users", id: "id", hash: "hash", carried: [] }),
    sink: async () => {},
    prefetch: 2,
    ackWait: 1_000,
    maxDeliveries: 5,
    sendDeadLetter: () => Promise.reject(new Error("it is not dead")),
    reasonOf: (error) => (error as Error).message,
    checkConsumer: () => Promise.resolve(),
    broken: new Promise(() => {}),
    log() {},
    signal: new AbortController().signal,
    ...options,
  }, totals);
  return totals;
}

Deno.test("workOff() does all that the server has forgotten before it asks for more", async () => {
  const left = new Set([1, 2, 3, 4, 5]);
  let fetches = 0;
  const { saved } = await workAtEmptyQueue({
    findLeftovers: () =>
      Promise.all(
        [...left].slice(0, 2).map((seq) => makeMessage(seq, () => void left.delete(seq))),
      ),
    isEmpty: () => Promise.resolve(left.size === 0),
  }, () => fetches++);
  assertEquals([left.size, saved, fetches], [0, 5, 1]);
});

Deno.test("workOff() does not turn around what the server forgets and does not delete", async () => {
  let found = 0;
  const stop = new AbortController();
  const { saved, returned } = await workAtEmptyQueue({
    findLeftovers() {
      // Found, done, and found again, twice; the worker asks for other jobs in between.
      if (++found === 4) stop.abort();
      return Promise.all([makeMessage(1, () => {})]);
    },
    isEmpty: () => Promise.resolve(false),
    signal: stop.signal,
  });
  assertEquals([found, saved + returned], [4, 2]);
});

/** A queue with these messages, and nothing after them. */
function consumerOf(messages: readonly Message[]): WorkOptions["consumer"] {
  const waiting = [...messages];
  return {
    async fetch() {
      await nextTurn();
      const messages = (async function* () {
        yield* waiting.splice(0);
      })();
      return Object.assign(messages, { stop() {} }) as never;
    },
  };
}

/** What became of messages: `ack`, or `nak` with its delay. */
async function messagesOf(count: number, deliveryCount = 1) {
  const ends: string[] = [];
  const messages = await Promise.all(Array.from({ length: count }, async (_, i) => ({
    ...await makeMessage(i + 1, () => void ends.push("ack")),
    nak: (delay?: number) => void ends.push(`nak ${delay ?? 0}`),
    info: { deliveryCount },
  })));
  return { messages, ends };
}

const nothingLeft = {
  findLeftovers: () => Promise.resolve([]),
  isEmpty: () => Promise.resolve(true),
};

Deno.test("workOff() gives back what is neither hashed nor taken when it is stopped", async () => {
  const { messages, ends } = await messagesOf(5);
  const stop = new AbortController();
  const { returned } = await workAtEmptyQueue({
    ...nothingLeft,
    consumer: consumerOf(messages),
    prefetch: 10,
    pool: {
      hash(_password, { signal } = {}) {
        stop.abort();
        return Promise.reject(signal!.reason);
      },
    },
    signal: stop.signal,
  });
  assertEquals([returned, ends], [5, Array(5).fill("nak 0")]);
});

Deno.test("workOff() gives a job back a few times that threads have died of, and then gives up", async () => {
  for (
    const [deliveries, expected] of [[1, "nak 1000"], [2, "nak 1000"], [3, "ack"]] as const
  ) {
    const { messages, ends } = await messagesOf(1, deliveries);
    const reasons: string[] = [];
    await workAtEmptyQueue({
      ...nothingLeft,
      consumer: consumerOf(messages),
      pool: {
        hash: () => Promise.reject(new WorkError("it died", { item: undefined, reason: "died" })),
      },
      maxDeliveries: 3,
      sendDeadLetter: (_message, reason) => Promise.resolve(void reasons.push(reason)),
    });
    assertEquals([ends, reasons], [[expected], expected === "ack" ? ["it died"] : []]);
  }
});

Deno.test("workOff() gives everything back where no thread can be started", async () => {
  const { messages, ends } = await messagesOf(3);
  await assertRejects(
    () =>
      workAtEmptyQueue({
        ...nothingLeft,
        consumer: consumerOf(messages),
        prefetch: 10,
        pool: { hash: () => Promise.reject(new WorkerStartError("no thread")) },
      }),
    PipelineError,
    "no thread",
  );
  assertEquals(ends, Array(3).fill("nak 0"));
});

Deno.test("workOff() sends a dead letter until the queue has it, and only then acknowledges", async () => {
  const { messages, ends } = await messagesOf(1, 7);
  let tries = 0;
  const { dead } = await workAtEmptyQueue({
    ...nothingLeft,
    consumer: consumerOf(messages),
    sendDeadLetter() {
      assertEquals(ends, []);
      return ++tries === 1 ? Promise.reject(new Error("no answer")) : Promise.resolve();
    },
  });
  assertEquals([dead, tries, ends], [1, 2, ["ack"]]);
});

Deno.test("workOff() gives back jobs of the other kind, and says which flag is missing", async () => {
  const { messages, ends } = await messagesOf(2);
  const work = rowWork({ run: () => Promise.resolve({ n: 1 }) }, "id", undefined);
  const working = workAtEmptyQueue({ ...nothingLeft, ...work, consumer: consumerOf(messages) });
  await assertRejects(() => working, ScriptError, "leave out --work");
  assertEquals(ends.map((end) => end.split(" ")[0]), ["nak", "nak"]);
});

Deno.test("workOff() calls a function only once with a row that it throws at", async () => {
  const { messages, ends } = await messagesOf(1);
  const [message] = messages;
  const name = await key.jobId("row");
  message.headers!.set(HEADERS.id, name);
  message.data = await key.seal(name, writeJob({ id: 1, carried: { id: 1 } }));
  const reasons: string[] = [];
  const thrown = new WorkError("it threw\n  this", { item: undefined, reason: "threw" });
  await workAtEmptyQueue({
    ...nothingLeft,
    ...rowWork({ run: () => Promise.reject(thrown) }, "id", undefined),
    consumer: consumerOf(messages),
    sendDeadLetter: (_message, reason) => Promise.resolve(void reasons.push(reason)),
  });
  assertEquals([ends, reasons], [["ack"], ["it threw this"]]);
});
