import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { AsyncBatcher, type Batch } from "../../batcher.ts";
import { type Job, writeJob } from "./job.ts";
import type { JobKey } from "./key.ts";
import { HEADERS } from "./streams.ts";

/** Milliseconds that the server may take to store a job. */
const TIMEOUT = 5_000;

/** A server that is restarted is waited for: about a minute. */
const RETRY = { maxAttempts: 20, minDelay: 200, maxDelay: 5_000 };

/** Whether a job is new in the queue, or was there already. */
export type Published = "published" | "duplicate";

/** A job that the queue cannot take, as it is too large for it. */
export class OversizeError extends Error {
  override name = "OversizeError";
}

/**
 * Makes a batcher that publishes jobs, some hundreds at a time, each with the answer that it is
 * stored. One that is sent again, as an answer was lost, is known by its name.
 */
export function jobPublisher(
  client: JetStreamClient,
  { subject, key, maxBytes }: { subject: string; key: JobKey; maxBytes: number },
): AsyncBatcher<Job, Published> {
  async function publish(job: Job): Promise<Published | Error> {
    const msgID = await key.jobId(job.id);
    const sealed = await key.seal(msgID, writeJob(job));
    // The headers count as well.
    if (sealed.length > maxBytes - 512) {
      return new OversizeError(`it takes more than the ${maxBytes} bytes that the server allows`);
    }
    const head = headers();
    head.set(HEADERS.key, key.id);
    const { duplicate } = await client.publish(subject, sealed, {
      msgID,
      headers: head,
      timeout: TIMEOUT,
    });
    return duplicate ? "duplicate" : "published";
  }

  /** What is known of jobs of a batch that is sent again, as other answers were lost. */
  const known = new WeakMap<Job, Published | Error>();

  async function send(jobs: readonly Job[], { attempt }: Batch): Promise<(Published | Error)[]> {
    const answers = await Promise.allSettled(jobs.map(async (job) => {
      const before = known.get(job);
      if (before !== undefined) return before;
      const answer = await publish(job);
      // Whose answer was lost was stored, by all likelihood, at that attempt.
      known.set(job, attempt > 1 && answer === "duplicate" ? "published" : answer);
      return known.get(job)!;
    }));
    return answers.map((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
  }

  return new AsyncBatcher(send, {
    maxItems: 128,
    maxInFlight: 2,
    idempotent: true,
    timeout: 2 * TIMEOUT,
    retry: {
      ...RETRY,
      // What the server refuses with a reason, as a full stream, it refuses again.
      isRetryable: (error) => !(error instanceof JetStreamApiError) || error.status >= 503,
    },
  });
}
