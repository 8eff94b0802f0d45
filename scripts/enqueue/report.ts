import type { PipelineAccount } from "../../pipeline.ts";
import { accountText } from "../cli/account.ts";
import { speed } from "../cli/numbers.ts";

/** How a run of enqueue.ts ended. */
export interface EnqueueResult {
  readonly account: PipelineAccount;
  readonly seconds: number;
  /** Whether the whole input was read, and every row of it came to its end. */
  readonly complete: boolean;
}

/** The account as one object, for programs. */
export function jsonReport({ account, seconds, complete }: EnqueueResult): string {
  const { read, inserted: published, skipped: duplicate, rejected, unknown, unfinished } = account;
  const counts = { read, published, duplicate, rejected, unknown, unfinished };
  return JSON.stringify({ version: 1, complete, ...counts, seconds: Number(seconds.toFixed(3)) });
}

/** The account for people. */
export function textReport({ account, seconds, complete }: EnqueueResult): string {
  const { read, inserted, skipped, rejected, unknown, unfinished } = account;
  return accountText([
    ["read", read, complete ? "" : "not to the end"],
    ["published", inserted],
    ["duplicate", skipped, "NATS knows them already"],
    ["rejected", rejected],
    ["unknown", unknown, "sent, and no answer came"],
    ["unfinished", unfinished, "not sent"],
  ], `${speed(inserted / seconds)} jobs a second, in ${speed(seconds)} s`);
}
