import { grouped, speed } from "../cli/numbers.ts";
import type { Account } from "./account.ts";

/** How a job ended. */
export interface Outcome {
  readonly account: Account;
  readonly seconds: number;
  readonly dryRun: boolean;
  /** Whether the whole input was read and every row of it came to its end. */
  readonly complete: boolean;
  /** What kept it from that, if it was not the user. */
  readonly failure?: { readonly error: unknown };
}

/** The account as one object, for programs. */
export function jsonReport({ account, seconds, dryRun, complete }: Outcome): string {
  const { read, hashed, ended } = account;
  return JSON.stringify(
    { version: 1, dryRun, complete, read, ...ended, hashed, seconds: Number(seconds.toFixed(3)) },
    null,
    2,
  );
}

/** The account for people. */
export function textReport({ account, seconds, dryRun, complete }: Outcome): string {
  const { read, hashed, ended } = account;
  const rows: [string, number, string][] = [
    ["read", read, complete ? "" : "not to the end"],
    ["saved", ended.saved, dryRun ? "would have been: this is a dry run" : ""],
    ["updated", ended.updated, ""],
    ["skipped", ended.skipped, ended.skipped > 0 ? "their ids were there already" : ""],
    ["rejected", ended.rejected, ""],
  ];
  if (ended.unknown > 0) rows.push(["unknown", ended.unknown, "sent, and no answer came"]);
  if (ended.unfinished > 0) rows.push(["unfinished", ended.unfinished, "not hashed, or not saved"]);
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  const lines = rows.map(([name, count, note]) =>
    `${name.padEnd(10)}  ${grouped(count).padStart(width)}  ${note}`.trimEnd()
  );
  lines.push(
    "",
    `${grouped(hashed)} hashes in ${speed(seconds)} s: ${speed(hashed / seconds)} a second`,
  );
  return lines.join("\n");
}
