import { alignColumns } from "../cli/columns.ts";
import { quantile } from "../measure/statistics.ts";

/** What was measured of one way to hash. */
export interface Result {
  readonly mode: "main-thread" | "pool";
  readonly signUps: number;
  readonly signUpsPerSecond: number;
  readonly responseMs: Quantiles;
  /** Of `GET /healthz` meanwhile. */
  readonly healthMs: Quantiles;
}

/** What became of ten times as many sign-ups as can be hashed. */
export interface Overload {
  readonly offeredPerSecond: number;
  readonly accepted: number;
  readonly refused: number;
  /** Those that failed, or were under way when the test ended. */
  readonly unanswered: number;
  /** Those whose connection broke, or that timed out. */
  readonly failed: number;
  readonly acceptedMs: Quantiles;
  readonly refusedMs: Quantiles;
  readonly healthMs: Quantiles;
  /** Users that were told 201, and are not in the table. */
  readonly lost: number;
  /** Users that were told no, and are in the table. */
  readonly unasked: number;
  /** Sign-ups afterwards, as at first. */
  readonly recovered: { readonly signUpsPerSecond: number; readonly responseMs: Quantiles };
}

export interface Quantiles {
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface Report {
  readonly version: 1;
  readonly cost: number;
  readonly cores: number;
  readonly connections: number;
  readonly results: readonly Result[];
  readonly overload: Overload;
}

export function quantilesOf(times: readonly number[] = []): Quantiles {
  return { p50: quantile(times, 0.5) ?? null, p99: quantile(times, 0.99) ?? null };
}

/** The report for people. */
export function textReport({ cost, cores, connections, results, overload }: Report): string {
  const { acceptedMs, refusedMs, healthMs, recovered } = overload;
  const [pool] = results.filter(({ mode }) => mode === "pool");
  return [
    `bcrypt cost ${cost}, ${cores} cores, ${connections} clients in parallel`,
    "",
    table([
      ["hashing on", "sign-ups/s", "POST /users p50", "p99", "GET /healthz p50", "p99"],
      ...results.map(({ mode, signUpsPerSecond, responseMs, healthMs }) => [
        mode === "pool" ? "the pool" : "the main thread",
        signUpsPerSecond.toFixed(1),
        ...[responseMs.p50, responseMs.p99, healthMs.p50, healthMs.p99].map(ms),
      ]),
    ]),
    "",
    `Overload: ${overload.offeredPerSecond.toFixed(0)} sign-ups a second, ${
      (overload.offeredPerSecond / pool.signUpsPerSecond).toFixed(1)
    } times what it can hash`,
    "",
    table([
      ["answer", "requests", "p50", "p99"],
      ["201", String(overload.accepted), ms(acceptedMs.p50), ms(acceptedMs.p99)],
      ["503", String(overload.refused), ms(refusedMs.p50), ms(refusedMs.p99)],
      ["none", String(overload.failed), "", ""],
      ["cut off at the end", String(overload.unanswered - overload.failed), "", ""],
      ["GET /healthz", "", ms(healthMs.p50), ms(healthMs.p99)],
    ]),
    "",
    `Told 201 and not in the table: ${overload.lost}; told 503 and in the table: ${overload.unasked}`,
    `Afterwards: ${recovered.signUpsPerSecond.toFixed(1)} sign-ups/s, p50 ${
      ms(recovered.responseMs.p50)
    }, p99 ${ms(recovered.responseMs.p99)}`,
  ].join("\n");
}

function ms(time: number | null): string {
  return time === null ? "–" : `${time < 10 ? time.toFixed(1) : time.toFixed(0)} ms`;
}

function table(rows: readonly (readonly string[])[]): string {
  return alignColumns(rows).map((line) => `  ${line}`).join("\n");
}
