import type { Account } from "../shared/contract.ts";
import type { Failure, Outcome } from "../shared/outcome.ts";
import { type Epoch, Epochs } from "./epochs.ts";
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
  readonly epochs: Epochs = new Epochs();
  readonly #options: LedgerOptions<T>;
  readonly #ended: Record<Outcome, number> = { saved: 0, failed: 0, unknown: 0, unsent: 0 };
  #failures: Failure<T>[] = [];
  #omitted = 0;

  constructor(options: LedgerOptions<T>) {
    this.#options = options;
  }

  /** Counts an item that is taken in, and returns its epoch. */
  enter(): Epoch {
    this.added++;
    const { current } = this.epochs;
    current.open++;
    return current;
  }

  /** All items of a batch were saved. */
  saveAll(batch: PendingBatch<T, R>, results: readonly unknown[] | undefined): void {
    this.#ended.saved += batch.live;
    batch.closeEpochs();
    batch.shared?.resolve(results);
    batch.callers.forEach((caller, i) => caller?.resolve(results?.[i] as R));
  }

  save({ epoch, caller }: Item<T, R>, result: unknown): void {
    this.#ended.saved++;
    epoch!.open--;
    caller?.resolve(result as R);
  }

  /** `isTold`: the caller of `push()` knows already. */
  fail(
    { item, epoch, caller, history }: Item<T, R>,
    outcome: Exclude<Outcome, "saved">,
    error: unknown,
    { isTold = false, attempts = history?.attempts ?? 0 }: { isTold?: boolean; attempts?: number } =
      {},
  ): void {
    this.#ended[outcome]++;
    epoch!.open--;
    const { maxFailures, onFailure, onPushFailed } = this.#options;
    const failure = { item, outcome, error, attempts };
    if (caller !== undefined) caller.reject(error);
    else if (!isTold) {
      if (this.#failures.length < maxFailures) this.#failures.push(failure);
      else this.#omitted++;
    }
    onFailure?.(failure);
    if (caller === undefined) onPushFailed(error);
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
