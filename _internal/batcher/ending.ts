import type { Verdict } from "./attempt.ts";
import { outcomeOf } from "../shared/outcome.ts";

/** How an item ended that was sent. */
export type Ending<R> =
  | { readonly outcome: "saved"; readonly result: R }
  | { readonly outcome: "failed" | "unknown"; readonly error: unknown };

/** How the items of a batch ended: as one answer says, or each in its own way. */
export type Result<R> =
  | Verdict<R>
  | { readonly outcome: "mixed"; readonly endings: readonly Ending<R>[] };

/** The ending of each of so many items. */
export function endingsOf<R>(result: Result<R>, size: number): readonly Ending<R>[] {
  if (result.outcome === "mixed") return result.endings;
  if (result.outcome !== "saved") return Array<Ending<R>>(size).fill(result);
  const { results } = result;
  return Array.from({ length: size }, (_, i) => {
    const one = results?.[i];
    return one instanceof Error
      ? { outcome: outcomeOf(one), error: one }
      : { outcome: "saved", result: one as R };
  });
}

/** Whether every item was saved. */
export function isClean<R>(result: Result<R>): boolean {
  if (result.outcome === "mixed") return result.endings.every(({ outcome }) => outcome === "saved");
  return result.outcome === "saved" && !result.results?.some((one) => one instanceof Error);
}
