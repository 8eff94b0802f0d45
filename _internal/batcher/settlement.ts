import type { BatchReport } from "../shared/contract.ts";
import { isError, messageOf } from "../shared/inspect.ts";
import { OutcomeError, UnknownOutcomeError, UnsentError } from "../shared/outcome.ts";
import type { Answer } from "./call.ts";
import { type ErrorFacts, readError } from "./error_facts.ts";
import type { KeyLines } from "./key_lines.ts";
import type { Ledger } from "./ledger.ts";
import type { ResolvedOptions } from "./options.ts";
import { type History, type Item, PendingBatch } from "./pending_batch.ts";
import type { Queue } from "./queue.ts";

/** What the settlement needs of its batcher. */
export interface SettlementSettings<T, R> {
  readonly options: Pick<ResolvedOptions<T>, "retry" | "idempotent" | "isBisectable" | "onBatch">;
  /** Whether nothing is sent any more. */
  readonly isStopped: () => boolean;
  readonly queue: Queue<T, R>;
  readonly lines: KeyLines<T, R>;
  readonly ledger: Ledger<T, R>;
}

/** A call of the send function that has an answer. */
export interface Sent {
  readonly id: string;
  readonly attempt: number;
  /** How long the first item was queued, in milliseconds. */
  readonly waited: number;
  readonly start: number;
}

/** What an error means for an item. */
interface Refusal {
  readonly error: unknown;
  readonly facts: ErrorFacts;
  /** Milliseconds until it is sent again; `undefined` if it is not. */
  readonly pause: number | undefined;
}

/**
 * What an answer means for each item: it is settled at once, or it goes back to the queue with its
 * history, for a retry or, if its batch was refused because of data, in a half of that batch.
 */
export class Settlement<T, R> {
  readonly #settings: SettlementSettings<T, R>;

  constructor(settings: SettlementSettings<T, R>) {
    this.#settings = settings;
  }

  settle(batch: PendingBatch<T, R>, sent: Sent, answer: Answer<R>): void {
    const { ledger, lines } = this.#settings;
    const now = performance.now();
    if ("results" in answer && answer.errors === 0) {
      this.#report(batch, sent, now, { outcome: "saved", retried: false, split: false });
      ledger.saveAll(batch, answer.results);
      batch.lines?.forEach((line) => lines.settled(line!));
      return;
    }
    const isWhole = "error" in answer;
    const refusals = this.#examine(batch, sent, now, answer);
    const isRefused = isWhole && this.#isRefused(answer.error);
    const split = isRefused && batch.live > 1 &&
      refusals.some((refusal) => refusal!.pause === undefined);
    this.#report(batch, sent, now, {
      outcome: isWhole
        ? refusals[0]!.facts.outcome
        : answer.errors === batch.live
        ? "failed"
        : "partial",
      ...isWhole && { error: answer.error },
      retried: !split && refusals.some((refusal) => refusal?.pause !== undefined),
      split,
    });
    const error = split ? refusedTogether(answer.error) : undefined;
    const again: { one: Item<T, R>; pause: number }[] = [];
    for (let i = 0; i < refusals.length; i++) {
      const refusal = refusals[i];
      if (refusal === undefined) this.#save(batch.get(i), isWhole ? undefined : answer.results![i]);
      else if (!split && refusal.pause === undefined) this.#refuse(batch.get(i), refusal);
      else {
        const history = next(batch.histories?.[i], refusal, sent.start);
        const one = batch.get(i, split ? { ...history, tries: 0, since: now, error } : history);
        again.push({ one, pause: refusal.pause ?? 0 });
      }
    }
    // A hook may have stopped the batcher.
    if (this.#settings.isStopped()) { for (const { one } of again) this.abandon(one, ""); }
    else if (split) this.#putHalves(batch, sent, again.map(({ one }) => one), now);
    else this.#putBack(batch, sent, again, now);
  }

  /** Settles an item that will not be sent, or not be sent again. */
  abandon(one: Item<T, R>, why: string, cause?: unknown): void {
    const { history, ticket } = one;
    if (history !== undefined) {
      const { error, unanswered } = history;
      if (unanswered === undefined) this.#fail(one, "failed", error);
      else this.#fail(one, "unknown", doubt(error, unanswered));
      return;
    }
    const error = new UnsentError(one.item, `Cannot send an item as ${why}`, { cause });
    if (ticket?.waiting) ticket.room!.reject(error);
    this.#fail(one, "unsent", error, { isTold: ticket?.waiting });
  }

  /** What each error means; `undefined` for the items that were saved. */
  #examine(
    batch: PendingBatch<T, R>,
    { start }: Sent,
    now: number,
    answer: Answer<R>,
  ): (Refusal | undefined)[] {
    const { idempotent, retry } = this.#settings.options;
    const isWhole = "error" in answer;
    // A part of a refused batch is not retried, but split further.
    const isFinal = isWhole && batch.splitFrom !== undefined && this.#isRefused(answer.error);
    const jitter = Math.random();
    let known: { error: unknown; facts: ErrorFacts; isRetryable: boolean } | undefined;
    return batch.items.map((_, i) => {
      const error = isWhole ? answer.error : answer.results![i];
      if (!isWhole && !isError(error)) return undefined;
      if (known === undefined || known.error !== error) {
        const facts = readError(error);
        // An error for a single item was meant for it. It must say if a retry may help.
        const isRetryable = !isFinal && (facts.outcome === "failed" || idempotent) &&
          (isWhole || facts.retryable === true) && retry.isRetryable(error);
        known = { error, facts, isRetryable };
      }
      const { facts, isRetryable } = known;
      const { tries = 0, since = start } = batch.histories?.[i] ?? {};
      const pause = isRetryable
        ? retry.delayAfter(tries + 1, now - since, { jitter, atLeast: facts.retryAfter })
        : undefined;
      return { error, facts, pause };
    });
  }

  /** Whether the sink refused the items because of their data. */
  #isRefused(error: unknown): boolean {
    return readError(error).outcome === "failed" && this.#settings.options.isBisectable(error);
  }

  #report(
    batch: PendingBatch<T, R>,
    { id, attempt, waited, start }: Sent,
    now: number,
    rest: Pick<BatchReport, "outcome" | "error" | "retried" | "split">,
  ): void {
    const { onBatch } = this.#settings.options;
    if (onBatch === undefined) return;
    const { splitFrom, live: size, bytes } = batch;
    onBatch({ id, splitFrom, attempt, size, bytes, waited, duration: now - start, ...rest });
  }

  #save(one: Item<T, R>, result: unknown): void {
    const { ledger, lines } = this.#settings;
    ledger.save(one, result);
    if (one.line !== undefined) lines.settled(one.line);
  }

  /**
   * If an earlier attempt got no answer, a refusal does not mean that nothing was saved. But if it is
   * about the item's own data, the earlier attempt was refused as well.
   */
  #refuse(one: Item<T, R>, { error, facts }: Refusal): void {
    const { attempts = 0, unanswered } = one.history ?? {};
    const isDoubtful = facts.outcome === "failed" && unanswered !== undefined &&
      facts.bisectable !== true;
    const options = { attempts: attempts + 1 };
    if (isDoubtful) this.#fail(one, "unknown", doubt(error, unanswered), options);
    else this.#fail(one, facts.outcome, error, options);
  }

  #fail(one: Item<T, R>, ...args: TailOf<Parameters<Ledger<T, R>["fail"]>>): void {
    const { ledger, lines } = this.#settings;
    ledger.fail(one, ...args);
    if (one.line !== undefined) lines.settled(one.line);
  }

  #putHalves(batch: PendingBatch<T, R>, { id }: Sent, items: Item<T, R>[], now: number): void {
    const middle = items.length >> 1;
    for (const half of [items.slice(0, middle), items.slice(middle)]) {
      const part = new PendingBatch<T, R>(batch.group, now);
      part.isSealed = true;
      part.splitFrom = id;
      for (const one of half) part.put(one);
      this.#settings.queue.putReady(part);
    }
  }

  /**
   * Puts back what is to be sent again: the batch as a whole if all of it is, as a sink may know it by
   * its id, and otherwise each item. Items that may be there already stay apart.
   */
  #putBack(
    batch: PendingBatch<T, R>,
    { id }: Sent,
    again: readonly { one: Item<T, R>; pause: number }[],
    now: number,
  ): void {
    const isWhole = again.length === batch.live;
    const groups = new Map<string, { part: PendingBatch<T, R>; pause: number }>();
    for (const { one, pause } of again) {
      const isSealed = isWhole || batch.splitFrom !== undefined ||
        one.history!.unanswered !== undefined;
      const name = isWhole ? "" : `${pause} ${isSealed}`;
      let group = groups.get(name);
      if (group === undefined) {
        const part = new PendingBatch<T, R>(batch.group, now);
        part.isSealed = isSealed;
        part.id = isWhole ? id : undefined;
        part.splitFrom = batch.splitFrom;
        groups.set(name, group = { part, pause });
      }
      group.part.put(one);
      group.pause = Math.max(group.pause, pause);
    }
    for (const { part, pause } of groups.values()) this.#settings.queue.putLater(part, now + pause);
  }
}

type TailOf<A extends unknown[]> = A extends [unknown, ...infer Tail] ? Tail : never;

function next(before: History | undefined, { error, facts }: Refusal, start: number): History {
  const attempts = (before?.attempts ?? 0) + 1;
  return {
    attempts,
    tries: (before?.tries ?? 0) + 1,
    since: before?.since ?? start,
    unanswered: before?.unanswered ?? (facts.outcome === "unknown" ? attempts : undefined),
    error,
  };
}

function doubt(error: unknown, unanswered: number): UnknownOutcomeError {
  if (readError(error).outcome === "unknown") return error as UnknownOutcomeError;
  const message =
    `Cannot tell whether an item was saved as attempt ${unanswered} was never answered, and a later one failed: ${
      messageOf(error)
    }`;
  return new UnknownOutcomeError(message, { cause: error });
}

/** The error of items that should be sent in halves, if that does not happen. */
function refusedTogether(cause: unknown): OutcomeError {
  const message = `Cannot save an item as its batch was refused, and then it was not sent alone: ${
    messageOf(cause)
  }`;
  return new OutcomeError("failed", message, { cause });
}
