import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { Batch, Sink } from "../../batcher.ts";
import type { RowOutcome } from "../../postgres.ts";
import { type Job, writeJob } from "./job.ts";
import type { JobKey } from "./key.ts";
import { HEADERS } from "./streams.ts";

/** Milliseconds that the server may take to store a job. */
const TIMEOUT = 5_000;

/** Jobs that are published together, and how many times at once. */
const MAX_ITEMS = 128;
const MAX_IN_FLIGHT = 2;

/** Most jobs that are worth having read: as many wait as are on their way. */
export const MAX_PENDING = 2 * MAX_ITEMS * MAX_IN_FLIGHT;

/** A server that is restarted is waited for: about a minute. */
const RETRY = { maxAttempts: 20, minDelay: 200, maxDelay: 5_000 };

/**
 * Publishes jobs, some hundreds at a time, each with the answer that it is stored: it is `"inserted"`,
 * or `"skipped"` where NATS knows it. One that is sent again, as an answer was lost, is known by its
 * name.
 */
export function jobPublisher(
  client: JetStreamClient,
  { subject, key, maxBytes }: { subject: string; key: JobKey; maxBytes: number },
): Sink<Job, RowOutcome> {
  async function publish(job: Job): Promise<RowOutcome | Error> {
    const msgID = await key.jobId(job.id);
    const sealed = await key.seal(msgID, writeJob(job));
    // The headers count as well.
    if (sealed.length > maxBytes - 512) {
      return new Error(`it takes more than the ${maxBytes} bytes that the server allows`);
    }
    const head = headers();
    head.set(HEADERS.key, key.id);
    const { duplicate } = await client.publish(subject, sealed, {
      msgID,
      headers: head,
      timeout: TIMEOUT,
    });
    return duplicate ? "skipped" : "inserted";
  }

  /** What is known of jobs of a batch that is sent again, as other answers were lost. */
  const known = new WeakMap<Job, RowOutcome | Error>();

  async function send(jobs: readonly Job[], { attempt }: Batch): Promise<(RowOutcome | Error)[]> {
    const answers = await Promise.allSettled(jobs.map(async (job) => {
      const before = known.get(job);
      if (before !== undefined) return before;
      const answer = await publish(job);
      // Whose answer was lost was stored, by all likelihood, at that attempt.
      known.set(job, attempt > 1 && answer === "skipped" ? "inserted" : answer);
      return known.get(job)!;
    }));
    return answers.map((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
  }

  return {
    send,
    defaults: {
      maxItems: MAX_ITEMS,
      maxInFlight: MAX_IN_FLIGHT,
      idempotent: true,
      timeout: 2 * TIMEOUT,
      retry: {
        ...RETRY,
        // What the server refuses with a reason, as a full stream, it refuses again.
        isRetryable: (error) => !(error instanceof JetStreamApiError) || error.status >= 503,
      },
    },
  };
}
