import type { Batch, Send } from "../shared/contract.ts";
import { outcomeOf, UnknownOutcomeError } from "../shared/outcome.ts";
import { describe } from "../shared/validate.ts";

/** How one attempt to send a batch ended, as far as the whole batch goes. */
export type Verdict<R> =
  | { outcome: "saved"; results: readonly (R | Error)[] | undefined }
  | { outcome: "failed" | "unknown"; error: unknown };

/** One attempt to send a batch: it ends when the send function has answered, when time is up, or when it is cancelled. */
export interface Attempt<R> {
  readonly verdict: Promise<Verdict<R>>;
  cancel(reason: unknown): void;
}

/**
 * Starts an attempt. The send function is called at once, and nothing that it does (throw, hang,
 * answer nonsense, answer late) keeps the verdict from coming: once, and never a rejection.
 */
export function startAttempt<T, R>(
  send: Send<T, R>,
  items: readonly T[],
  { id, attempt, timeout }: { id: string; attempt: number; timeout: number },
): Attempt<R> {
  const { promise: verdict, resolve } = Promise.withResolvers<Verdict<R>>();
  const controller = new AbortController();
  const batch: Batch = { id, attempt, signal: controller.signal };

  function giveUp(message: string, reason: unknown): void {
    clearTimeout(timer);
    const error = new UnknownOutcomeError(message, { cause: reason });
    resolve({ outcome: "unknown", error });
    controller.abort(reason);
  }

  const timer = setTimeout(() => {
    const message =
      `Cannot tell whether a batch of ${items.length} was saved as no answer came within ${timeout} ms`;
    giveUp(message, new DOMException(message, "TimeoutError"));
  }, timeout);

  callSend(send, items, batch).then(resolve).finally(() => clearTimeout(timer));

  return {
    verdict,
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
): Promise<Verdict<R>> {
  let answer: unknown;
  try {
    answer = send(items, batch);
  } catch (error) {
    return { outcome: "failed", error };
  }
  if (typeof (answer as PromiseLike<unknown> | undefined)?.then !== "function") {
    return misused(`it must return a promise: it returned ${describe(answer)}`);
  }
  try {
    answer = await answer;
  } catch (error) {
    return { outcome: outcomeOf(error), error };
  }
  if (answer === undefined) return { outcome: "saved", results: undefined };
  if (!Array.isArray(answer)) {
    return misused(
      `it must resolve with an array or with nothing: it resolved with ${describe(answer)}`,
    );
  }
  if (answer.length !== items.length) {
    return misused(
      `it must resolve with one result per item: it resolved with ${answer.length} for a batch of ${items.length}`,
    );
  }
  return { outcome: "saved", results: answer };
}

/** The items were sent, but which of them were saved cannot be read from the answer. */
function misused(complaint: string): Verdict<never> {
  const error = new UnknownOutcomeError(
    `Cannot tell what became of a batch from the answer of the send function: ${complaint}`,
    { retryable: false },
  );
  return { outcome: "unknown", error };
}
