import type { Sql } from "postgres";
import type { Batch, BatchReport, Sink } from "../../batcher.ts";
import type { Existing } from "../../pipeline.ts";
import { postgresLookup, postgresWriter, type Row, type RowOutcome } from "../../postgres.ts";
import type { Target } from "./table.ts";

/** What happens to a row whose id is in the table already. */
export type OnConflict = "skip" | "update" | "error";

/** Options of {@linkcode tableSinks}. */
export interface TableSinksOptions {
  readonly onConflict: OnConflict;
  /** How long to go on, in milliseconds, while the database is down. */
  readonly retryFor: number;
  /**
   * How long, in milliseconds, rows wait for the batch to fill.
   *
   * @default {50}
   */
  readonly linger?: number;
  /**
   * How long, in milliseconds, an attempt may take.
   *
   * @default {30_000}
   */
  readonly timeout?: number;
  /** Called after every attempt to save a burst. */
  readonly onSave?: (report: BatchReport) => void;
  /** Called after every attempt to look up ids. */
  readonly onLookup?: (report: BatchReport) => void;
}

/**
 * For a job. Nobody waits for a single one of its hashes, and the server needs the processor that it
 * is spared for every burst that is not sent.
 */
const LINGER = 50;

/** Saves rows in a table, and looks up which ids it has. */
export function tableSinks(
  sql: Sql,
  target: Target,
  { onConflict, retryFor, linger = LINGER, timeout, onSave, onLookup }: TableSinksOptions,
): { sink: Sink<Row, RowOutcome>; lookup: Sink<unknown, Existing> } {
  const writer = truthfulWriter(sql, target, onConflict);
  const lookup = postgresLookup(sql, { table: target.table, key: target.id });
  const retry = { ...lookup.defaults.retry, deadline: retryFor };
  return {
    sink: {
      ...writer,
      defaults: { ...writer.defaults, linger, timeout, retry, onBatch: onSave },
    },
    lookup: {
      ...lookup,
      defaults: { ...lookup.defaults, maxInFlight: 1, timeout, retry, onBatch: onLookup },
    },
  };
}

function truthfulWriter(sql: Sql, target: Target, onConflict: OnConflict): Sink<Row, RowOutcome> {
  const lookup = postgresLookup(sql, {
    table: target.table,
    key: target.id,
    columns: [target.hash],
  });
  const writer = postgresWriter(sql, {
    table: target.table,
    columns: [target.id, target.hash, ...target.carried],
    conflict: onConflict === "error" ? undefined : {
      target: [target.id],
      action: onConflict === "skip" ? "ignore" : "update",
    } as const,
  });

  async function send(
    rows: readonly Row[],
    batch: Batch,
  ): Promise<readonly (RowOutcome | Error)[]> {
    const results = await writer.send(rows, batch);
    return onConflict === "skip" && batch.attempt > 1 ? await claim(rows, results, batch) : results;
  }

  /**
   * After an attempt that was never answered a row that is there may be our own. Its hash tells, as
   * no two are alike.
   */
  async function claim(
    rows: readonly Row[],
    results: readonly (RowOutcome | Error)[],
    batch: Batch,
  ) {
    const doubtful = [...results.keys()].filter((i) => results[i] === "skipped");
    const found = await lookup.send(doubtful.map((i) => rows[i][target.id]), batch);
    const outcomes = [...results];
    for (const [j, i] of doubtful.entries()) {
      const one = found?.[j];
      if (one === undefined || one instanceof Error) continue;
      if (one.row?.[target.hash] === rows[i][target.hash]) outcomes[i] = "inserted";
    }
    return outcomes;
  }

  return { ...writer, send };
}
