import type { PipelineAccount, PipelineError } from "../../pipeline.ts";
import { accountText } from "../cli/account.ts";
import { grouped, speed } from "../cli/numbers.ts";

/** How a job ended. */
export interface JobResult {
  readonly account: PipelineAccount;
  /** Passwords that were hashed. */
  readonly hashed: number;
  readonly seconds: number;
  readonly dryRun: boolean;
  /** Whether the whole input was read and every row of it came to its end. */
  readonly complete: boolean;
  /** What kept it from that, if it was not the user. */
  readonly failure?: PipelineError;
}

/** The account as one object, for programs. */
export function jsonReport({ account, hashed, seconds, dryRun, complete }: JobResult): string {
  const { read, inserted: saved, ...others } = account;
  const counts = { read, saved, ...others, hashed, seconds: Number(seconds.toFixed(3)) };
  return JSON.stringify({ version: 1, dryRun, complete, ...counts }, null, 2);
}

/** The account for people. */
export function textReport({ account, hashed, seconds, dryRun, complete }: JobResult): string {
  const { read, inserted, updated, skipped, rejected, unknown, unfinished } = account;
  return accountText([
    ["read", read, complete ? "" : "not to the end"],
    ["saved", inserted, dryRun ? "would have been: this is a dry run" : ""],
    ["updated", updated],
    ["skipped", skipped, "their ids were there already"],
    ["rejected", rejected],
    ["unknown", unknown, "sent, and no answer came"],
    ["unfinished", unfinished, "not hashed, or not saved"],
  ], `${grouped(hashed)} hashes in ${speed(seconds)} s: ${speed(hashed / seconds)} a second`);
}
