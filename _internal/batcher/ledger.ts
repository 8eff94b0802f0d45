import type { Account } from "../shared/contract.ts";
import type { Result } from "./ending.ts";
import { type Failure, type Outcome, outcomeOf } from "../shared/outcome.ts";
import type { Entry } from "../shared/queue.ts";

/** Settles items, counts how they ended, and keeps the failures that nobody has seen yet. */
export class Ledger<T, R> {
  /** Items that were accepted. */
  added = 0;
  readonly #ended: Record<Outcome, number> = { saved: 0, failed: 0, unknown: 0, unsent: 0 };
  #failures: Failure<T>[] = [];

  /** Settles the items of a batch. */
  settle(entries: readonly Entry<T, R>[], result: Result<R>): void {
    if (result.outcome === "saved") this.#settleEach(entries, result.results);
    else if (result.outcome === "mixed") {
      result.endings.forEach((ending, i) => {
        if (ending.outcome === "saved") this.#resolve(entries[i], ending.result);
        else this.reject(entries[i], ending.outcome, ending.error);
      });
    } else for (const entry of entries) this.reject(entry, result.outcome, result.error);
  }

  /** `seen`: whoever pushed the item has been told already. */
  reject(
    entry: Entry<T, R>,
    outcome: Exclude<Outcome, "saved">,
    error: unknown,
    { seen = false }: { seen?: boolean } = {},
  ): void {
    this.#ended[outcome]++;
    if (entry.reject !== undefined) entry.reject(error);
    else if (!seen) this.#failures.push({ item: entry.item, outcome, error });
  }

  /** Each item of a batch that was answered ends with its own result. */
  #settleEach(entries: readonly Entry<T, R>[], results: readonly (R | Error)[] | undefined): void {
    for (let i = 0; i < entries.length; i++) {
      const result = results?.[i];
      if (result instanceof Error) this.reject(entries[i], outcomeOf(result), result);
      else {
        this.#ended.saved++;
        entries[i].resolve?.(result as R);
      }
    }
  }

  #resolve(entry: Entry<T, R>, result: R): void {
    this.#ended.saved++;
    entry.resolve?.(result);
  }

  /** The failures of pushed items since the last call: whoever takes them has to report them. */
  takeFailures(): Failure<T>[] {
    const failures = this.#failures;
    this.#failures = [];
    return failures;
  }

  takeAccount(): Account<T> {
    const account = { added: this.added, ...this.#ended };
    const failures = this.takeFailures();
    return failures.length > 0 ? { ...account, failures } : account;
  }
}
