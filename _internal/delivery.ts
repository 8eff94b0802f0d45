import { type Attempt, startAttempt, type Verdict } from "./attempt.ts";
import type { BatchReport, Send } from "./contract.ts";
import { UnknownOutcomeError } from "./outcome.ts";
import type { RetryPolicy } from "./retry.ts";

/** What all deliveries of a batcher share. */
export interface DeliverySettings<T, R> {
  readonly send: Send<T, R>;
  readonly timeout: number;
  readonly retry: RetryPolicy;
  readonly idempotent: boolean;
  readonly report: (report: BatchReport) => void;
}

/** One batch on its way, over all its attempts: one `id`, one verdict. */
export class Delivery<T, R> {
  readonly #settings: DeliverySettings<T, R>;
  readonly #items: readonly T[];
  readonly #bytes: number;
  readonly #waited: number;
  #attempt: Attempt<R> | undefined;
  #endPause: (() => void) | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor(
    settings: DeliverySettings<T, R>,
    items: readonly T[],
    { bytes, waited }: { bytes: number; waited: number },
  ) {
    this.#settings = settings;
    this.#items = items;
    this.#bytes = bytes;
    this.#waited = waited;
  }

  /** Sends the batch until there is a verdict that another attempt would not change. */
  async run(): Promise<Verdict<R>> {
    const { send, timeout, retry } = this.#settings;
    const id = crypto.randomUUID();
    let unanswered: number | undefined;
    for (let attempt = 1;; attempt++) {
      const start = performance.now();
      this.#attempt = startAttempt(send, this.#items, { id, attempt, timeout });
      // The send function itself may have aborted the batcher.
      if (this.#aborted !== undefined) this.#attempt.cancel(this.#aborted.reason);
      const verdict = await this.#attempt.verdict;
      const retried = this.#isWorthRetrying(verdict, attempt);
      this.#settings.report({
        id,
        attempt,
        size: this.#items.length,
        bytes: this.#bytes,
        waited: this.#waited,
        duration: performance.now() - start,
        outcome: outcomeOfBatch(verdict),
        error: verdict.outcome === "saved" ? undefined : verdict.error,
        retried,
      });
      if (retried && this.#aborted === undefined) await this.#pause(retry.delayAfter(attempt));
      if (!retried || this.#aborted !== undefined) return doubted(verdict, unanswered);
      if (verdict.outcome === "unknown") unanswered ??= attempt;
    }
  }

  /** Ends the attempt, or the pause before the next one. */
  abort(reason: unknown): void {
    this.#aborted = { reason };
    this.#attempt?.cancel(reason);
    this.#endPause?.();
  }

  #isWorthRetrying(verdict: Verdict<R>, attempt: number): boolean {
    const { retry, idempotent } = this.#settings;
    if (verdict.outcome === "saved" || this.#aborted !== undefined) return false;
    if (attempt >= retry.maxAttempts) return false;
    if (verdict.outcome === "unknown" && !idempotent) return false;
    try {
      return retry.isRetryable(verdict.error);
    } catch {
      return false;
    }
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function outcomeOfBatch<R>(verdict: Verdict<R>): BatchReport["outcome"] {
  if (verdict.outcome !== "saved") return verdict.outcome;
  const results = verdict.results ?? [];
  const failed = results.reduce<number>((sum, one) => one instanceof Error ? sum + 1 : sum, 0);
  if (failed === 0) return "saved";
  return failed === results.length ? "failed" : "partial";
}

/** A refusal does not tell that nothing was saved where an earlier attempt went unanswered. */
function doubted<R>(verdict: Verdict<R>, unanswered: number | undefined): Verdict<R> {
  if (verdict.outcome !== "failed" || unanswered === undefined) return verdict;
  const { error } = verdict;
  const why = error instanceof Error ? error.message : String(error);
  return {
    outcome: "unknown",
    error: new UnknownOutcomeError(
      `Cannot tell whether a batch was saved as attempt ${unanswered} was never answered, and a later one failed: ${why}`,
      { cause: error },
    ),
  };
}
