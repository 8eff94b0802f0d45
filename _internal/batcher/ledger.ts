import type { Account } from "../shared/contract.ts";
import type { Failure, Outcome } from "../shared/outcome.ts";
import { Epochs } from "./epochs.ts";
import type { Item, PendingBatch } from "./pending_batch.ts";

/** What a ledger does with items that were not saved. */
export interface LedgerOptions<T> {
  /** Most failures to keep. */
  readonly maxFailures: number;
  readonly onFailure: ((failure: Failure<T>) => void) | undefined;
  /** Called when a pushed item was not saved. */
  readonly onPushFailed: (error: unknown) => void;
}

/** Failures of pushed items, and how many more were not kept. */
export interface Failures<T> {
  readonly failures: readonly Failure<T>[];
  readonly omitted: number;
}

/** Settles items, counts how they ended, and keeps the failures that have not been reported. */
export class Ledger<T, R> {
  /** Items that were accepted. */
  added = 0;
  readonly epochs = new Epochs();
  readonly #options: LedgerOptions<T>;
  readonly #ended: Record<Outcome, number> = { saved: 0, failed: 0, unknown: 0, unsent: 0 };
  #failures: Failure<T>[] = [];
  #omitted = 0;

  constructor(options: LedgerOptions<T>) {
    this.#options = options;
  }

  /** All items of a batch were saved. */
  saveAll({ epochs, resolves }: PendingBatch<T, R>, results: readonly unknown[] | undefined): void {
    this.#ended.saved += epochs.length;
    for (let i = 0; i < epochs.length; i++) {
      epochs[i]!.open--;
      resolves[i]?.(results?.[i] as R);
    }
  }

  save({ epoch, resolve }: Item<T, R>, result: unknown): void {
    this.#ended.saved++;
    epoch!.open--;
    resolve?.(result as R);
  }

  /** `isTold`: the caller of `push()` knows already. */
  fail(
    { item, epoch, reject, history }: Item<T, R>,
    outcome: Exclude<Outcome, "saved">,
    error: unknown,
    { isTold = false, attempts = history?.attempts ?? 0 }: { isTold?: boolean; attempts?: number } =
      {},
  ): void {
    this.#ended[outcome]++;
    epoch!.open--;
    const { maxFailures, onFailure, onPushFailed } = this.#options;
    const failure = { item, outcome, error, attempts };
    if (reject !== undefined) reject(error);
    else if (!isTold) {
      if (this.#failures.length < maxFailures) this.#failures.push(failure);
      else this.#omitted++;
    }
    onFailure?.(failure);
    if (reject === undefined) onPushFailed(error);
  }

  /** The failures of pushed items since the last call. The caller must report them. */
  takeFailures(): Failures<T> {
    const taken = { failures: this.#failures, omitted: this.#omitted };
    this.#failures = [];
    this.#omitted = 0;
    return taken;
  }

  takeAccount(): Account<T> {
    const account = { added: this.added, ...this.#ended };
    const { failures, omitted } = this.takeFailures();
    if (failures.length === 0) return account;
    return { ...account, failures, ...omitted > 0 && { omitted } };
  }
}
