import type { Sql } from "postgres";
import type { BatchReport, Sink } from "../../batcher.ts";
import type { Existing } from "../../pipeline.ts";
import { postgresLookup, postgresWriter, type Row, type RowOutcome } from "../../postgres.ts";
import { conflictOf, type OnConflict } from "./conflict.ts";
import type { Target } from "./table.ts";

/** Options of {@linkcode tableSinks}. */
export interface TableSinksOptions {
  readonly onConflict: OnConflict;
  /** How long to go on, in milliseconds, while the database is down. */
  readonly retryFor: number;
  /** How long, in milliseconds, rows wait for the batch to fill; by default, as in every pipeline. */
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

/** Saves rows in a table, and looks up which ids it has. */
export function tableSinks(
  sql: Sql,
  target: Target,
  { onConflict, retryFor, linger, timeout, onSave, onLookup }: TableSinksOptions,
): { sink: Sink<Row, RowOutcome>; lookup: Sink<unknown, Existing> } {
  const writer = postgresWriter(sql, {
    table: target.table,
    columns: [target.id, target.hash, ...target.carried],
    conflict: conflictOf(target.id, onConflict),
  });
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
