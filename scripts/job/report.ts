import type { PipelineAccount, PipelineError } from "../../pipeline.ts";
import { accountText } from "../cli/account.ts";
import { grouped, speed } from "../cli/numbers.ts";

/** What is computed, and how it is called. */
export interface Work {
  /** As in "hash" and "hashes". */
  readonly singular: string;
  readonly plural: string;
  /** As in "hashed". */
  readonly done: string;
  /** Why a row is skipped. */
  readonly skipped: string;
}

/** How a job ended. */
export interface JobResult {
  readonly account: PipelineAccount;
  /** Rows for which something was computed. */
  readonly computed: number;
  readonly seconds: number;
  readonly dryRun: boolean;
  /** Whether the whole input was read and every row of it came to its end. */
  readonly complete: boolean;
  /** What kept it from that, if it was not the user. */
  readonly failure?: PipelineError;
}

/** The account as one object, for programs. */
export function jsonReport(
  { account, computed, seconds, dryRun, complete }: JobResult,
  { done }: Work,
): string {
  const { read, inserted: saved, ...others } = account;
  const counts = { read, saved, ...others, [done]: computed, seconds: Number(seconds.toFixed(3)) };
  return JSON.stringify({ version: 1, dryRun, complete, ...counts }, null, 2);
}

/** The account for people. */
export function textReport(
  { account, computed, seconds, dryRun, complete }: JobResult,
  work: Work,
): string {
  const { read, inserted, updated, skipped, rejected, unknown, unfinished } = account;
  return accountText(
    [
      ["read", read, complete ? "" : "not to the end"],
      ["saved", inserted, dryRun ? "would have been: this is a dry run" : ""],
      ["updated", updated],
      ["skipped", skipped, work.skipped],
      ["rejected", rejected],
      ["unknown", unknown, "sent, and perhaps not saved"],
      ["unfinished", unfinished, `not ${work.done}, or not saved`],
    ],
    `${grouped(computed)} ${computed === 1 ? work.singular : work.plural} in ${speed(seconds)} s: ${
      speed(computed / seconds)
    } a second`,
  );
}
