import type { BatchReport } from "../../batcher.ts";

/** Attempts that may fail without a word: a connection breaks, a transaction is to be repeated. */
const QUIET = 2;

/**
 * Says once that the database is waited for, and once that it answers again.
 *
 * @param options.log Called with the sentence.
 * @param options.reason Why an attempt has failed, with nothing of a row in it.
 * @returns What is to be called after every attempt to use the database.
 */
export function outageLog({ log, reason }: {
  log: (sentence: string) => void;
  reason: (error: unknown) => string;
}): (report: Pick<BatchReport, "outcome" | "attempt" | "retried" | "error">) => void {
  let told = false;
  return ({ outcome, attempt, retried, error }) => {
    if (outcome === "saved" || outcome === "partial") {
      if (told) log("The database answers again");
      told = false;
    } else if (retried && attempt > QUIET && !told) {
      told = true;
      log(`Waiting for the database: ${reason(error)}`);
    }
  };
}
