import type { Batch, Send } from "../shared/contract.ts";
import { isError, isThenable, messageOf, read } from "../shared/inspect.ts";
import { OutcomeError, UnknownOutcomeError } from "../shared/outcome.ts";
import { describe } from "../shared/validate.ts";
import { readError } from "./error_facts.ts";
import type { Timeouts } from "./timeouts.ts";

/** The answer of the send function: a result or an error for each item, or one error for all. */
export type Answer<R> =
  | { readonly results: readonly (R | Error)[] | undefined; readonly errors: number }
  | { readonly error: unknown };

/** A call of the send function that is in flight. */
export interface Call<R> {
  /** Resolves on an answer, when the time is up, or on `cancel()`. Never rejects. */
  readonly answer: Promise<Answer<R>>;
  cancel(reason: unknown): void;
}

/** Options of a call. */
export interface CallOptions {
  readonly batch: Omit<Batch, "signal">;
  readonly timeouts: Timeouts;
  /** Called once the send function itself has settled, which may be long after the answer. */
  readonly onReturn?: () => void;
}

/**
 * How many turns of the microtask queue a send function that is aborted has to say that it has saved
 * nothing, as it knows if it has sent nothing. They take microseconds.
 */
const LAST_WORDS = 64;

/**
 * Calls the send function at once. Whatever it does (throw, hang, return nonsense, answer late), there
 * is an answer.
 */
export function startCall<T, R>(
  send: Send<T, R>,
  items: readonly T[],
  { batch, timeouts, onReturn }: CallOptions,
): Call<R> {
  const { promise: answer, resolve } = Promise.withResolvers<Answer<R>>();
  const controller = new AbortController();

  let isGivenUp = false;

  async function giveUp(message: string, reason: unknown): Promise<void> {
    timeouts.stop(timeIsUp);
    isGivenUp = true;
    controller.abort(reason);
    for (let i = 0; i < LAST_WORDS; i++) await undefined;
    resolve({ error: new UnknownOutcomeError(message, { cause: reason }) });
  }

  function timeIsUp(): void {
    const message =
      `Cannot tell whether a batch of ${items.length} was saved as no answer came within ${timeouts.timeout} ms`;
    giveUp(message, new DOMException(message, "TimeoutError"));
  }

  timeouts.start(timeIsUp);

  // The send function may do what it likes with its array.
  const call = callSend(send, items.slice(), { ...batch, signal: controller.signal });
  call.then((answer) => {
    timeouts.stop(timeIsUp);
    const error = "error" in answer ? answer.error : undefined;
    if (read(error, "over") !== false) onReturn?.();
    if (!isGivenUp || read(error, "outcome") === "failed") resolve(answer);
  });

  return {
    answer,
    cancel: (reason) =>
      giveUp(
        `Cannot tell whether a batch of ${items.length} was saved as it was aborted in flight`,
        reason,
      ),
  };
}

async function callSend<T, R>(
  send: Send<T, R>,
  items: readonly T[],
  batch: Batch,
): Promise<Answer<R>> {
  const size = items.length;
  let answer: unknown;
  try {
    answer = send(items, batch);
    if (!isThenable(answer)) {
      return misused(`it must return a promise: it returned ${describe(answer)}`);
    }
    answer = await answer;
  } catch (error) {
    return { error };
  }
  try {
    return readAnswer(answer, size) ?? readAnswer<R>(await settleEach(answer), size)!;
  } catch (error) {
    return misused(`it cannot be read: ${messageOf(error)}`);
  }
}

/** `undefined` if there are promises among the results. */
function readAnswer<R>(answer: unknown, size: number): Answer<R> | undefined {
  if (answer === undefined) return { results: undefined, errors: 0 };
  if (!Array.isArray(answer)) {
    return misused(
      `it must resolve with an array or with nothing: it resolved with ${describe(answer)}`,
    );
  }
  if (answer.length !== size) {
    return misused(
      `it must resolve with one result per item: it resolved with ${answer.length} for a batch of ${size}`,
    );
  }
  const results = new Array<R | Error>(size);
  let errors = 0;
  for (let i = 0; i < size; i++) {
    const result = results[i] = answer[i];
    if (isError(result)) errors++;
    else if (isThenable(result)) return undefined;
  }
  return { results, errors };
}

/** Awaits results that are promises, as from `rows.map(async (row) => …)`. */
async function settleEach(promises: unknown): Promise<unknown[]> {
  const ends = await Promise.allSettled(promises as unknown[]);
  return ends.map((end) => end.status === "fulfilled" ? end.value : errorOf(end.reason));
}

function errorOf(reason: unknown): Error {
  if (isError(reason)) return reason;
  const facts = readError(reason);
  const message = `Cannot save an item as its promise was rejected: ${messageOf(reason)}`;
  return new OutcomeError(facts.outcome, message, { ...facts, cause: reason });
}

/** The items were sent, but which of them were saved cannot be read from the answer. */
function misused(complaint: string): Answer<never> {
  const message =
    `Cannot tell what became of a batch from the answer of the send function: ${complaint}`;
  return { error: new UnknownOutcomeError(message, { retryable: false }) };
}
