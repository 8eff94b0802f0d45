import { grouped, speed } from "../cli/numbers.ts";

/** The exact account of a run of enqueue.ts: every row that was read ends in one way. */
export class EnqueueAccount {
  read = 0;
  /** New in the queue. */
  published = 0;
  /** In the queue already, or done, and known to NATS. */
  duplicate = 0;
  /** Cannot be used. */
  rejected = 0;
  /** Sent, and no answer came. May be in the queue. */
  unknown = 0;
  /** Read, and the end came before its turn. */
  unfinished = 0;

  get done(): number {
    const { published, duplicate, rejected, unknown, unfinished } = this;
    return published + duplicate + rejected + unknown + unfinished;
  }
}

/** How a run ended. */
export interface EnqueueOutcome {
  readonly account: EnqueueAccount;
  readonly seconds: number;
  /** Whether the whole input was read, and every row of it came to its end. */
  readonly complete: boolean;
}

/** The account as one object, for programs. */
export function jsonReport({ account, seconds, complete }: EnqueueOutcome): string {
  return JSON.stringify({ version: 1, complete, ...account, seconds: Number(seconds.toFixed(3)) });
}

/** The account for people. */
export function textReport({ account, seconds, complete }: EnqueueOutcome): string {
  const { read, published, duplicate, rejected, unknown, unfinished } = account;
  const rows: [string, number, string][] = [
    ["read", read, complete ? "" : "not to the end"],
    ["published", published, ""],
    ["duplicate", duplicate, duplicate > 0 ? "NATS knows them already" : ""],
    ["rejected", rejected, ""],
  ];
  if (unknown > 0) rows.push(["unknown", unknown, "sent, and no answer came"]);
  if (unfinished > 0) rows.push(["unfinished", unfinished, "not sent"]);
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  const lines = rows.map(([name, count, note]) =>
    `${name.padEnd(10)}  ${grouped(count).padStart(width)}  ${note}`.trimEnd()
  );
  lines.push("", `${speed(published / seconds)} jobs a second, in ${speed(seconds)} s`);
  return lines.join("\n");
}
