import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { ClosedConnectionError, headers } from "@nats-io/transport-node";
import { type Batch, OutcomeError, type Sink, UnknownOutcomeError } from "../../batcher.ts";
import { ScriptError } from "../cli/run.ts";
import { violationOf } from "./connection.ts";
import type { RowOutcome } from "../../postgres.ts";
import { HEADERS_SIZE } from "./dead_letter.ts";
import { type Job, writeJob } from "./job.ts";
import type { JobKey } from "./key.ts";
import { HEADERS } from "./streams.ts";

/**
 * How long jobs that are sent may take to be acknowledged after Ctrl-C, in milliseconds. A NATS that
 * is down is waited for, but not for long once the user wants to end.
 */
export const LAST_ANSWERS = 5_000;

/** Milliseconds that the server may take to store a job: each ends for itself before Ctrl-C does. */
const TIMEOUT = LAST_ANSWERS - 1_000;

/** Jobs that are published together, and how many times at once. */
const MAX_ITEMS = 128;
const MAX_IN_FLIGHT = 2;

/** Most jobs that are worth having read: as many wait as are on their way. */
export const MAX_PENDING = 2 * MAX_ITEMS * MAX_IN_FLIGHT;

/** How long a server that stores nothing is waited for, in milliseconds: it may be restarted. */
const PATIENCE = 60_000;

/** Options of {@linkcode jobPublisher}. */
export interface PublisherOptions {
  readonly subject: string;
  readonly key: JobKey;
  /** The largest message that the server takes, in bytes. */
  readonly maxBytes: number;
  /** Rejects with a {@linkcode ScriptError} where the stream is gone. */
  readonly checkStream: () => Promise<unknown>;
}

/**
 * Publishes jobs, some hundreds at a time, each with the answer that it is stored: it is `"inserted"`,
 * or `"skipped"` where NATS knows it. One whose answer is lost is sent again, and known by its name.
 */
export function jobPublisher(
  client: Pick<JetStreamClient, "publish">,
  { subject, key, maxBytes, checkStream }: PublisherOptions,
): Sink<Job, RowOutcome> {
  /** Since when nothing was stored. */
  let downSince: number | undefined;
  /** Why nothing more is sent. */
  let failure: unknown;
  let checking: Promise<unknown> | undefined;

  async function publish(job: Job, wasSent: boolean): Promise<RowOutcome | Error> {
    const content = writeJob(job);
    // What a function of the user's makes of a row may depend on all of it.
    const msgID = await key.jobId(job.password === undefined ? content : String(job.id));
    const sealed = await key.seal(msgID, content);
    // The headers count as well, also those that it has once it is dead.
    if (sealed.length > maxBytes - HEADERS_SIZE) {
      return new Error(`it takes more than the ${maxBytes} bytes that the server allows`);
    }
    const head = headers();
    head.set(HEADERS.key, key.id);
    if (job.password === undefined) head.set(HEADERS.rows, "1");
    try {
      const options = { msgID, headers: head, timeout: TIMEOUT };
      const { duplicate } = await client.publish(subject, sealed, options);
      downSince = undefined;
      // Whose answer was lost was stored, by all likelihood, at that attempt.
      return duplicate && !wasSent ? "skipped" : "inserted";
    } catch (error) {
      return await refusal(error);
    }
  }

  /** What the error means for a job; the others of its batch may be stored. */
  async function refusal(error: unknown): Promise<Error> {
    downSince ??= performance.now();
    if (isUnheard(error)) {
      checking ??= checkStream().catch((error) => error).finally(() => checking = undefined);
      const why = await checking;
      if (why instanceof ScriptError) failure ??= why;
    }
    if (isFinal(error) || performance.now() - downSince > PATIENCE) failure ??= error;
    const options = { cause: error, retryable: true };
    return isNotStored(error)
      ? new OutcomeError("failed", "NATS has refused a job", options)
      : new UnknownOutcomeError("No answer came for a job", options);
  }

  return {
    async send(jobs, { unanswered = false }: Batch) {
      // Thrown, it ends the run. Of what was sent before without an answer nothing is known.
      if (failure !== undefined) throw failure;
      return await Promise.all(jobs.map((job) => publish(job, unanswered)));
    },
    defaults: {
      maxItems: MAX_ITEMS,
      maxInFlight: MAX_IN_FLIGHT,
      idempotent: true,
      retry: {
        maxAttempts: Infinity,
        deadline: Infinity,
        minDelay: 200,
        maxDelay: 5_000,
        isRetryable: (error) => error !== failure,
      },
    },
  };
}

/** Whether the server has said that it has not stored a job. */
function isNotStored(error: unknown): boolean {
  return error instanceof JetStreamApiError || violationOf(error) !== undefined ||
    isUnheard(error);
}

/** Nobody has listened, as while servers choose a leader, or where the stream is gone. */
function isUnheard(error: unknown): boolean {
  return (error as Error).name === "JetStreamNotEnabled";
}

/** Whether the server would say the same again. A stream that is full has the code of one at work. */
function isFinal(error: unknown): boolean {
  if (violationOf(error) || error instanceof ClosedConnectionError) {
    return true;
  }
  return error instanceof JetStreamApiError &&
    (error.status < 503 || /\bmaximum\b/.test(error.message));
}
