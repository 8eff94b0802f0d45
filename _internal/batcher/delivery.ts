import { type Attempt, startAttempt, type Verdict } from "./attempt.ts";
import type { BatchReport, Send } from "../shared/contract.ts";
import { endingsOf, isClean, type Result } from "./ending.ts";
import { OutcomeError, outcomeOf, UnknownOutcomeError } from "../shared/outcome.ts";
import type { RetryPolicy } from "./retry.ts";

/** What all deliveries of a batcher share. */
export interface DeliverySettings<T, R> {
  readonly send: Send<T, R>;
  readonly timeout: number;
  readonly retry: RetryPolicy;
  readonly idempotent: boolean;
  /** Whether a batch that was refused with this error is to be split. */
  readonly isBisectable: (error: unknown) => boolean;
  readonly report: (report: BatchReport) => void;
}

/** An item, and its size. */
interface Sized<T> {
  readonly item: T;
  readonly bytes: number;
}

/** What has been tried with items, alone or within a larger batch. */
interface History {
  /** How often they have been sent. */
  readonly attempts: number;
  /** The first attempt that was never answered. */
  readonly unanswered?: number;
  /** The larger batch. */
  readonly splitFrom?: string;
  /** How often they have been sent, and since when, as the retry policy counts. */
  readonly tries: number;
  readonly since: number;
}

/**
 * A batch on its way, until nothing more can be done for any of its items.
 *
 * It is sent again while that may help, and split where it was refused because of its data, until
 * the bad items stand alone. All that happens in the one slot of the batch, one call after another.
 */
export class Delivery<T, R> {
  readonly #settings: DeliverySettings<T, R>;
  readonly #entries: readonly Sized<T>[];
  readonly #waited: number;
  #attempt: Attempt<R> | undefined;
  #endPause: (() => void) | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  /** Why the parts of a split batch that have not been sent yet are not sent any more. */
  #cutOff: { readonly error: unknown } | undefined;

  /** `waited`: how long the first item was queued, in milliseconds. */
  constructor(settings: DeliverySettings<T, R>, entries: readonly Sized<T>[], waited: number) {
    this.#settings = settings;
    this.#entries = entries;
    this.#waited = waited;
  }

  run(): Promise<Result<R>> {
    return this.#deliver(this.#entries, { attempts: 0, tries: 0, since: performance.now() });
  }

  /** Ends the attempt, or the pause before the next one. */
  abort(reason: unknown): void {
    this.#aborted = { reason };
    this.#cutOff = { error: reason };
    this.#attempt?.cancel(reason);
    this.#endPause?.();
  }

  async #deliver(entries: readonly Sized<T>[], before: History): Promise<Result<R>> {
    const { retry, report } = this.#settings;
    const items: T[] = [];
    let bytes = 0;
    for (const entry of entries) {
      items.push(entry.item);
      bytes += entry.bytes;
    }
    const id = crypto.randomUUID();
    for (let history = before;;) {
      const { splitFrom, tries, since } = history;
      const attempt = history.attempts + 1;
      const start = performance.now();
      const verdict = await this.#send(items, id, attempt);
      const end = performance.now();
      const errors = countErrors(verdict);
      const worth = errors === 0 ? [] : this.#worthRetrying(verdict, items.length);
      const delay = worth.length === 0 ? undefined : retry.delayAfter(tries + 1, end - since);
      const again = delay === undefined ? [] : worth;
      const split = again.length === 0 && items.length > 1 && this.#isRefusal(verdict);
      report({
        id,
        splitFrom,
        attempt,
        size: items.length,
        bytes,
        waited: this.#waited,
        duration: end - start,
        outcome: outcomeOfBatch(verdict, errors, items.length),
        error: verdict.outcome === "saved" ? undefined : verdict.error,
        retried: again.length > 0,
        split,
      });
      const isUnanswered = verdict.outcome === "saved"
        ? worth.some((i) => outcomeOf(verdict.results?.[i]) === "unknown")
        : verdict.outcome === "unknown";
      const unanswered = history.unanswered ?? (isUnanswered ? attempt : undefined);
      history = { attempts: attempt, unanswered, splitFrom, tries: tries + 1, since };
      if (split) return await this.#split(entries, { ...history, splitFrom: id });
      if (again.length > 0) await this.#pause(delay!);
      if (again.length === 0 || this.#aborted !== undefined) return doubted(verdict, unanswered);
      if (again.length < items.length) {
        const rest = await this.#deliver(again.map((i) => entries[i]), {
          ...history,
          splitFrom: id,
        });
        const endings = [...endingsOf(verdict, items.length)];
        endingsOf(rest, again.length).forEach((ending, i) => endings[again[i]] = ending);
        return { outcome: "mixed", endings };
      }
    }
  }

  /**
   * Delivers the halves of a batch that was refused because of its data, one after the other. One bad
   * item among n costs at most about 2 log2(n) calls. Whatever else goes wrong with a part would go
   * wrong with the next ones: they are not sent.
   */
  async #split(entries: readonly Sized<T>[], history: History): Promise<Result<R>> {
    const middle = entries.length >> 1;
    const deliver = async (part: readonly Sized<T>[], holdsBad: boolean) => {
      if (this.#cutOff !== undefined) return this.#notSentAlone(history, this.#cutOff.error);
      const result = holdsBad && part.length > 1
        ? await this.#split(part, history)
        : await this.#deliver(part, { ...history, tries: 0, since: performance.now() });
      const isOver = result.outcome === "failed" || result.outcome === "unknown";
      if (isOver && !this.#isRefusal(result)) this.#cutOff ??= { error: result.error };
      return result;
    };
    const left = await deliver(entries.slice(0, middle), false);
    // Where nothing is wrong with the left half, something is with the right one.
    const right = await deliver(entries.slice(middle), isClean(left));
    return {
      outcome: "mixed",
      endings: [...endingsOf(left, middle), ...endingsOf(right, entries.length - middle)],
    };
  }

  #send(items: readonly T[], id: string, attempt: number): Promise<Verdict<R>> {
    const { send, timeout } = this.#settings;
    this.#attempt = startAttempt(send, items, { id, attempt, timeout });
    // The send function itself may have aborted the batcher.
    if (this.#aborted !== undefined) this.#attempt.cancel(this.#aborted.reason);
    return this.#attempt.verdict;
  }

  /** Which of the items are worth another attempt. */
  #worthRetrying(verdict: Verdict<R>, size: number): readonly number[] {
    if (this.#aborted !== undefined) return [];
    const { retry, idempotent } = this.#settings;
    const isWorth = (outcome: "failed" | "unknown", error: unknown) =>
      (outcome === "failed" || idempotent) && retry.isRetryable(error);
    if (verdict.outcome !== "saved") {
      return isWorth(verdict.outcome, verdict.error)
        ? Array.from({ length: size }, (_, i) => i)
        : [];
    }
    // An error that stands for one item was meant for it. It has to say that another time may help.
    const places: number[] = [];
    verdict.results?.forEach((result, i) => {
      if (isPassing(result) && isWorth(outcomeOf(result), result)) places.push(i);
    });
    return places;
  }

  /** Whether the sink refused the items because of what is in them. */
  #isRefusal(result: Result<R>): boolean {
    return result.outcome === "failed" && this.#settings.isBisectable(result.error);
  }

  /** Of a part that is not sent any more after the whole was refused. */
  #notSentAlone({ unanswered }: History, cause: unknown): Result<R> {
    const outcome = unanswered === undefined ? "failed" : "unknown";
    const message =
      `Cannot save an item as its batch was refused because of another one, and then it could not be sent alone: ${
        messageOf(cause)
      }`;
    return { outcome, error: new OutcomeError(outcome, message, { cause }) };
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

function countErrors<R>(verdict: Verdict<R>): number {
  if (verdict.outcome !== "saved") return Infinity;
  let errors = 0;
  for (const result of verdict.results ?? []) if (result instanceof Error) errors++;
  return errors;
}

function outcomeOfBatch<R>(
  { outcome }: Verdict<R>,
  errors: number,
  size: number,
): BatchReport["outcome"] {
  if (outcome !== "saved" || errors === 0) return outcome;
  return errors === size ? "failed" : "partial";
}

/** Whether the result of a single item is an error that says that another time may help. */
function isPassing(result: unknown): result is Error {
  return result instanceof Error && (result as { retryable?: unknown }).retryable === true;
}

/**
 * A refusal does not tell that nothing was saved where an earlier attempt went unanswered. But where
 * it is about the item's own data, the earlier one was refused as well.
 */
function doubted<R>(verdict: Verdict<R>, unanswered: number | undefined): Verdict<R> {
  if (unanswered === undefined) return verdict;
  const doubt = (error: unknown) =>
    new UnknownOutcomeError(
      `Cannot tell whether a batch was saved as attempt ${unanswered} was never answered, and a later one failed: ${
        messageOf(error)
      }`,
      { cause: error },
    );
  if (verdict.outcome === "saved") {
    const results = verdict.results?.map((one) =>
      isPassing(one) && outcomeOf(one) === "failed" ? doubt(one) : one
    );
    return { outcome: "saved", results };
  }
  const { outcome, error } = verdict;
  if (outcome === "unknown" || (error as { bisectable?: unknown } | null)?.bisectable === true) {
    return verdict;
  }
  return { outcome: "unknown", error: doubt(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
