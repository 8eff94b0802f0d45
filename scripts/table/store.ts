import type { Sql } from "postgres";
import { AsyncBatcher, type BatchReport, UnsentError } from "../../batcher.ts";
import {
  postgresLookup,
  PostgresWriteError,
  postgresWriter,
  type Row,
  type RowOutcome,
} from "../../postgres.ts";
import type { Target } from "./table.ts";
import type { Ending, Verdict } from "./verdict.ts";

/** What happens to a row whose id is in the table already. */
export type OnConflict = "skip" | "update" | "error";

/** What the table says of an id. */
export interface Known {
  /** The same for all ways to write the same id, as `7` and `07`. */
  readonly key: string;
  readonly there: boolean;
}

/** A row as it is saved. */
export interface HashedRow {
  readonly id: unknown;
  readonly hash: string;
  readonly carried: readonly unknown[];
}

/** Where the hashes go. */
export interface Store extends AsyncDisposable {
  /** Asks for many ids at once. An id that the column cannot hold gets an error. */
  find(ids: readonly unknown[]): Promise<readonly (Known | Error)[]>;
  /** Saves a row in a burst with others. Never rejects. */
  save(row: HashedRow): Promise<Verdict>;
  /** Gives up on everything that is not answered yet. */
  abort(reason: unknown): void;
  /** Rows that wait to be sent. */
  readonly queued: number;
  /** Bursts that are out. */
  readonly inFlight: number;
}

/** Options of {@linkcode tableStore}. */
export interface TableStoreOptions {
  readonly target: Target;
  readonly onConflict: OnConflict;
  /** How long to go on, in milliseconds, while the database is down. */
  readonly retryFor: number;
  /**
   * How long, in milliseconds, rows wait for company.
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
  readonly onBatch?: (report: BatchReport) => void;
  /** Called after every attempt to ask for ids. */
  readonly onFind?: (report: BatchReport) => void;
}

/**
 * For a job. Nobody waits for a single one of its hashes, and the server needs the processor that it
 * is spared for every burst that is not sent.
 */
const LINGER = 50;

const ENDINGS: Record<RowOutcome, Ending> = {
  inserted: "saved",
  updated: "updated",
  skipped: "skipped",
};

/** A table in PostgreSQL. */
export function tableStore(sql: Sql, options: TableStoreOptions): Store {
  const { target, onConflict, retryFor, linger = LINGER, timeout, onBatch, onFind } = options;
  const writer = postgresWriter(sql, {
    table: target.table,
    columns: [target.id, target.hash, ...target.carried],
    conflict: onConflict === "error" ? undefined : {
      target: [target.id],
      action: onConflict === "skip" ? "ignore" : "update",
    },
  });
  const retry = { ...writer.defaults.retry, deadline: retryFor };
  const ids = new AsyncBatcher(postgresLookup(sql, { table: target.table, key: target.id }), {
    maxInFlight: 1,
    timeout,
    retry,
    onBatch: onFind,
  });
  const rows = new AsyncBatcher(writer, { linger, timeout, retry, onBatch });
  return {
    get queued() {
      return rows.size;
    },
    get inFlight() {
      return rows.inFlight;
    },
    async find(values) {
      const found = await Promise.allSettled(values.map((value) => ids.add(value)));
      return found.map((one) => {
        if (one.status === "fulfilled") {
          return { key: one.value.key, there: one.value.row !== undefined };
        }
        if (isAboutRow(one.reason)) return one.reason;
        throw one.reason;
      });
    },
    async save({ id, hash, carried }) {
      const row: Row = { [target.id]: id, [target.hash]: hash };
      for (const [i, name] of target.carried.entries()) row[name] = carried[i];
      try {
        return { ending: ENDINGS[await rows.add(row)] };
      } catch (error) {
        // What a trigger has to say may quote the row.
        if (isAboutRow(error)) {
          return { ending: "rejected", reason: error.message.replaceAll(hash, "…") };
        }
        const { outcome } = error as { outcome?: string };
        if (outcome === "unknown") return { ending: "unknown", error };
        return { ending: "unfinished", error: error instanceof UnsentError ? undefined : error };
      }
    },
    abort(reason) {
      ids.abort(reason);
      rows.abort(reason);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([ids.abort(), rows.close()]);
    },
  };
}

/** Nowhere: nothing is there, not even twice in the input, and everything can be saved. */
export function dryStore(): Store {
  let keys = 0;
  return {
    find: (ids) => Promise.resolve(ids.map(() => ({ key: String(keys++), there: false }))),
    save: () => Promise.resolve({ ending: "saved" }),
    abort() {},
    queued: 0,
    inFlight: 0,
    async [Symbol.asyncDispose]() {},
  };
}

/** Whether the server, or the check before it, refused this row and would take others. */
function isAboutRow(error: unknown): error is PostgresWriteError {
  return error instanceof PostgresWriteError && error.bisectable;
}
