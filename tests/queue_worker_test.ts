import { assertEquals } from "@std/assert";
import { headers } from "@nats-io/transport-node";
import { writeJob } from "../scripts/queue/job.ts";
import { JobKey } from "../scripts/queue/key.ts";
import type { Message } from "../scripts/queue/job_source.ts";
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
  options: Pick<WorkOptions, "findLeftovers" | "isEmpty"> & Partial<WorkOptions>,
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
    pool: { hash: () => Promise.resolve("hash") },
    target: { table: "users", id: "id", hash: "hash", carried: [] },
    sink: async () => {},
    prefetch: 2,
    ackWait: 1_000,
    maxDeliveries: 5,
    sendDeadLetter: () => Promise.reject(new Error("it is not dead")),
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
    isEmpty: () => Promise.resolve(true),
    signal: stop.signal,
  });
  assertEquals([found, saved + returned], [4, 2]);
});
