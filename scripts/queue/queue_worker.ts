import type { HashPool } from "../../hash_pool.ts";
import { WorkError } from "../../pool.ts";
import { type ItemEnd, type PipelineOptions, runPipeline } from "../../pipeline.ts";
import type { Row } from "../../postgres.ts";
import { makeRow, rejectionReason, type Target } from "../table/table.ts";
import type { Job } from "./job.ts";
import {
  type Delivery,
  JobSource,
  type JobSourceOptions,
  type Message,
  PAUSE,
} from "./job_source.ts";
import { HEADERS } from "./streams.ts";

/** Options of {@linkcode workOff}. */
export interface WorkOptions
  extends
    Omit<JobSourceOptions, "columns">,
    Pick<PipelineOptions<Delivery, Row>, "sink" | "lookup"> {
  readonly pool: Pick<HashPool, "hash">;
  readonly target: Target;
  /**
   * How often a job is delivered before it is dead. Also a job counts that was only in hand when a
   * worker ended, for whatever reason, as nobody can tell which one it died of.
   */
  readonly maxDeliveries: number;
  /** Publishes a job that can never succeed where the dead ones are. */
  readonly sendDeadLetter: (message: Message, reason: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** How many jobs ended in each way. */
export interface Totals {
  /** New in the table. */
  saved: number;
  /** Were in the table already. */
  skipped: number;
  /** Can never succeed, and are dead letters now. */
  dead: number;
  /** Given back for another worker. */
  returned: number;
}

/** How long what is hashed may take to be saved once the worker is to stop, in milliseconds. */
const LAST_SAVES = 10_000;

/** How many threads a job may cost. Unlike a worker that ends, they die of this very job. */
const MAX_THREADS = 5;

/** Pause in milliseconds before a job is delivered again that a thread has died of. */
const AFTER_DEATH = 1_000;

/**
 * Takes jobs from a queue and acknowledges each once its row is committed, until the signal is
 * aborted or the queue is empty. Then it finishes what is hashed and gives back the rest.
 *
 * @param totals Counted up as jobs end.
 * @throws {PipelineError} If it cannot go on, once every job is finished or given back.
 */
export async function workOff(options: WorkOptions, totals: Totals): Promise<void> {
  const { pool, target, lookup, sink, prefetch, maxDeliveries, signal } = options;
  const stop = new AbortController();
  using source = new JobSource({ ...options, columns: target.carried });

  async function* jobs(signal: AbortSignal): AsyncGenerator<Delivery> {
    try {
      yield* source.jobs(signal);
    } catch (error) {
      // Another worker may have better luck with what is in hand.
      stop.abort(error);
      throw error;
    }
  }

  /** Tells the queue how a job ended. */
  async function settle(
    { message }: Delivery,
    { outcome, row, error }: ItemEnd<Row>,
  ): Promise<keyof Totals> {
    switch (outcome) {
      case "inserted":
        message.ack();
        return "saved";
      case "updated":
      case "skipped":
        message.ack();
        return "skipped";
      case "rejected": {
        const mayBeTriedAgain = error instanceof WorkError &&
          message.info.deliveryCount < Math.min(MAX_THREADS, maxDeliveries);
        if (mayBeTriedAgain) {
          message.nak(AFTER_DEATH);
          return "returned";
        }
        if (!await sendDeadLetter(message, rejectionReason(error, row?.[target.hash]))) break;
        message.ack();
        return "dead";
      }
    }
    message.nak();
    return "returned";
  }

  /** Returns whether the job is a dead letter now; if not, the server delivers it again. */
  async function sendDeadLetter(message: Message, reason: string): Promise<boolean> {
    const name = message.headers?.get(HEADERS.id) || `number ${message.seq}`;
    while (!source.over) {
      try {
        await options.sendDeadLetter(message, reason);
        options.log(`Job ${name} is dead: ${reason}`);
        return true;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
    return false;
  }

  try {
    await runPipeline(jobs, {
      key: (delivery) => jobOf(delivery).id,
      lookup,
      async compute(delivery, { signal }) {
        const { id, password, carried } = jobOf(delivery);
        const times = delivery.message.info.deliveryCount - 1;
        // One whose row is there is done, and only the acknowledgement was lost: it does not get here.
        if (times >= maxDeliveries) {
          throw new Error(
            `workers have taken it ${times} times, and have not finished it: one may die of it`,
          );
        }
        const hash = await pool.hash(password, { signal });
        return makeRow(target, { id, hash, carried: target.carried.map((name) => carried[name]) });
      },
      sink,
      async onEnd(delivery, end) {
        totals[await settle(delivery, end)]++;
        source.release(delivery.message);
      },
      maxPending: prefetch,
      gracePeriod: LAST_SAVES,
      signal: AbortSignal.any([signal, stop.signal]),
    });
  } finally {
    for (const message of await source.takeRest()) {
      message.nak();
      totals.returned++;
    }
  }
}

function jobOf(delivery: Delivery): Job {
  if ("reason" in delivery) throw new Error(delivery.reason);
  return delivery.job;
}
