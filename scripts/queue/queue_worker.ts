import { JetStreamApiError } from "@nats-io/jetstream";
import { WorkError } from "../../pool.ts";
import {
  type ComputeContext,
  type ItemEnd,
  type PipelineOptions,
  runPipeline,
} from "../../pipeline.ts";
import type { Row } from "../../postgres.ts";
import { grouped } from "../cli/numbers.ts";
import { ScriptError } from "../cli/run.ts";
import { fromSpan, inSpan, tracedSink } from "../telemetry/telemetry.ts";
import type { Job } from "./job.ts";
import {
  type Delivery,
  JobSource,
  type JobSourceOptions,
  type Message,
  PAUSE,
} from "./job_source.ts";
import { HEADERS } from "./streams.ts";

/** What is done with a job. */
export interface JobWork extends Pick<JobSourceOptions, "columns" | "rows"> {
  /** Computes the row to save; `null` if there is none. */
  compute(job: Job, context: Pick<ComputeContext, "signal">): Promise<Row | null>;
  /** Why a job is dead, with nothing secret of its row. */
  reason(error: unknown, row: Row | undefined): string;
}

/** Options of {@linkcode workOff}. */
export interface WorkOptions
  extends
    Omit<JobSourceOptions, "isEmpty">,
    JobWork,
    Pick<PipelineOptions<Delivery, Row>, "sink" | "lookup"> {
  /**
   * How often a job is delivered before it is dead. Also a job counts that was only in hand when a
   * worker ended, for whatever reason, as nobody can tell which one it died of.
   */
  readonly maxDeliveries: number;
  /** Publishes a job that can never succeed where the dead ones are, or tells why it cannot. */
  readonly sendDeadLetter: (message: Message, reason: string) => Promise<void>;
  /** Why a dead letter could not be published. */
  readonly reasonOf: (error: unknown) => string;
  /** Whether the queue has no more than these jobs, where the work is to end then. */
  readonly isEmpty?: (jobs: number) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** How many jobs ended in each way. */
export interface Totals {
  /** New in the table. */
  saved: number;
  /** Were in the table already, or had nothing to save. */
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
 * Pause in milliseconds for each time that a job was delivered, before it is again, where it can be
 * neither done nor made a dead letter; and the longest.
 */
const SET_ASIDE = 30_000;
const MAX_ASIDE = 3_600_000;

/** Most different reasons that are remembered. */
const MAX_TOLD = 1_000;

/** How often a dead letter is sent at once, if it is not refused. */
const MAX_SENT = 3;

/**
 * Takes jobs from a queue and acknowledges each once its row is committed, until the signal is
 * aborted or the queue is empty. Then it finishes what is hashed and gives back the rest.
 *
 * @param totals Counted up as jobs end.
 * @throws {PipelineError} If it cannot save, once every job is finished or given back.
 * @throws {ScriptError} If it cannot take jobs, or cannot do all of them.
 */
export async function workOff(options: WorkOptions, totals: Totals): Promise<void> {
  const { lookup, sink, prefetch, maxDeliveries, log, signal } = options;
  const stop = new AbortController();
  /** Jobs that are left in the queue, by number, and why; kept only where somebody asks at the end. */
  const aside = new Map<number, string>();
  /** Why some are, as far as it was told since a dead letter could be sent. */
  const told = new Set<string>();
  using source = new JobSource({
    ...options,
    isEmpty: options.isEmpty && (() => options.isEmpty!(aside.size)),
  });

  async function* jobs(signal: AbortSignal): AsyncGenerator<Delivery> {
    yield* source.jobs(signal);
    // Another worker may have better luck with what is in hand.
    if (source.failure !== undefined) stop.abort(source.failure);
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
        const mayBeTriedAgain = error instanceof WorkError && error.reason === "died" &&
          message.info.deliveryCount < Math.min(MAX_THREADS, maxDeliveries);
        if (mayBeTriedAgain) {
          message.nak(AFTER_DEATH);
          return "returned";
        }
        const reason = options.reason(error, row);
        if (error instanceof DoubtfulError) return setAside(message, reason);
        const refusal = await sendDeadLetter(message, reason);
        if (refusal !== undefined) return setAside(message, refusal);
        message.ack();
        aside.delete(message.seq);
        told.clear();
        return "dead";
      }
    }
    message.nak();
    return "returned";
  }

  /** Leaves a job in the queue for later, so that it keeps nothing else waiting. */
  function setAside(message: Message, why: string): "returned" {
    // Each reason once, and not for each of perhaps thousands.
    if (!told.has(why)) log(`Job ${nameOf(message)} stays in the queue: ${why}`);
    if (told.size < MAX_TOLD) told.add(why);
    if (options.isEmpty !== undefined) aside.set(message.seq, why);
    message.nak(Math.min(MAX_ASIDE, SET_ASIDE * message.info.deliveryCount));
    return "returned";
  }

  /** Makes a dead letter of a job, or returns why that is not possible. */
  async function sendDeadLetter(message: Message, reason: string): Promise<string | undefined> {
    for (let i = 1;; i++) {
      try {
        await options.sendDeadLetter(message, reason);
        log(`Job ${nameOf(message)} is dead: ${reason}`);
        return undefined;
      } catch (error) {
        const isRefused = error instanceof JetStreamApiError;
        if (isRefused || i === MAX_SENT || source.over) {
          return `it is dead (${reason}), and cannot become a dead letter: ${
            options.reasonOf(error)
          }`;
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  try {
    await runPipeline(jobs, {
      key: (delivery) => jobOf(delivery).id,
      lookup,
      async compute(delivery, context) {
        const job = jobOf(delivery);
        const times = delivery.message.info.deliveryCount - 1;
        // One whose row is there is done, and only the acknowledgement was lost: it does not get here.
        if (times >= maxDeliveries) {
          throw new Error(
            `workers have taken it ${times} times, and have not finished it: one may die of it`,
          );
        }
        return await inSpan("job", async () => fromSpan(await options.compute(job, context)));
      },
      sink: tracedSink(sink),
      async onEnd(delivery, end) {
        totals[await settle(delivery, end)]++;
        source.release(delivery.message);
      },
      maxPending: prefetch,
      gracePeriod: LAST_SAVES,
      signal: AbortSignal.any([signal, stop.signal]),
    });
    // Once it is stopped, the pipeline no longer hears what became of its source.
    stop.signal.throwIfAborted();
  } finally {
    for (const message of await source.takeRest()) {
      message.nak();
      totals.returned++;
    }
  }
  if (source.failure !== undefined) throw source.failure;
  const [why] = aside.values();
  if (why !== undefined && !signal.aborted) {
    throw new ScriptError(
      `Cannot do all jobs: ${grouped(aside.size)} stay in the queue, one as ${why}`,
    );
  }
}

/** It may be this worker that cannot do a job. */
class DoubtfulError extends Error {}

function nameOf(message: Message): string {
  return message.headers?.get(HEADERS.id) || `number ${message.seq}`;
}

function jobOf(delivery: Delivery): Job {
  if ("reason" in delivery) {
    const { reason, doubtful } = delivery;
    throw doubtful ? new DoubtfulError(reason) : new Error(reason);
  }
  return delivery.job;
}
