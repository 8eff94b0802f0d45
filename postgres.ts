/**
 * {@linkcode postgresWriter}: batches into a table, through postgres.js.
 *
 * @module
 */
import type { Sql } from "postgres";
import type { AsyncBatcherOptions, Batch, Sink } from "./batcher.ts";
import { copyMethod } from "./_internal/postgres/copy.ts";
import { badValue, PostgresWriteError } from "./_internal/postgres/errors.ts";
import {
  type ConflictPlan,
  type Method,
  type RowOutcome,
  rowsMethod,
  unnestMethod,
} from "./_internal/postgres/methods.ts";
import { checkName, checkNames, RETRY } from "./_internal/postgres/options.ts";
import { Plan } from "./_internal/postgres/plan.ts";
import { postgresOptions } from "./_internal/postgres/socket.ts";
import { readTable, type Table } from "./_internal/postgres/table.ts";
import { describe } from "./_internal/shared/validate.ts";

export { postgresOptions, PostgresWriteError };
export {
  type ColumnDescription,
  describeTable,
  type TableDescription,
} from "./_internal/postgres/describe.ts";
export {
  type Found,
  type PostgresLookup,
  postgresLookup,
  type PostgresLookupOptions,
} from "./_internal/postgres/lookup.ts";
export type { RowOutcome };

/** A row: a value for each column. `null` is NULL; a missing column is an error. */
export type Row = Record<string, unknown>;

/** What to do with a row whose key is in the table already. */
export interface Conflict {
  /** The key: the columns of a unique constraint. None of them may be NULL in a row. */
  target: readonly string[];
  /** Whether the row in the table stays as it is or takes the values of the new one. */
  action: "ignore" | "update";
  /**
   * The columns to update.
   *
   * @default {all columns outside the target}
   */
  update?: readonly string[];
}

/** Options of {@linkcode postgresWriter}. */
export interface PostgresWriterOptions {
  /** `"table"`, found on the search path, or `"schema.table"`. Case matters. */
  table: string;
  /** The columns to write. */
  columns: readonly string[];
  /** What to do with a row whose key is there already. Without it, such a row fails its batch. */
  conflict?: Conflict;
  /**
   * How a batch is written.
   *
   * - `"unnest"`: one `INSERT … SELECT … FROM unnest(…)`, the same statement for every batch size.
   *   All or nothing, and the fastest up to some thousands of rows.
   * - `"rows"`: a single-row `INSERT` each, all at once. Each row stands alone and costs a
   *   transaction of its own: slower by an order of magnitude.
   * - `"copy"`: one `COPY`, on a reserved connection. All or nothing, without `conflict`. Worth
   *   trying with tens of thousands of rows a batch, and with the options
   *   `{ ...postgresOptions, fetch_types: true }`: without the first, each batch waits about 80 ms for
   *   the network stack, and without the second, postgres.js cannot reserve a connection.
   *
   * @default {"unnest"}
   */
  method?: "unnest" | "rows" | "copy";
}

/** A sink for an {@linkcode AsyncBatcher}: `new AsyncBatcher(writer)`. */
export interface PostgresWriter extends Sink<Row, RowOutcome> {
  /** Writes one batch. */
  readonly send: (
    items: readonly Row[],
    batch: Batch,
  ) => Promise<readonly (RowOutcome | Error)[]>;
  /**
   * Options that suit it.
   *
   * Temporary failures are retried for two minutes, with pauses of up to 5 s: long enough to restart
   * a server. A batch that was refused because of single rows is split until those stand alone. With
   * a `conflict`, a batch whose outcome is unknown may be sent again; if the action is `"update"`,
   * rows with the same key are saved in the order in which they were added.
   */
  readonly defaults: Readonly<
    & Required<
      Pick<
        AsyncBatcherOptions<Row>,
        "maxItems" | "maxInFlight" | "idempotent" | "retry" | "bisect"
      >
    >
    & Pick<AsyncBatcherOptions<Row>, "orderingKey">
  >;
  /**
   * Reads the table's columns and types from the catalogue, once, and finds what could not work. The
   * first batch does the same; call it to find out earlier.
   *
   * @throws {PostgresWriteError} If the table, a column or the key is missing, or the server cannot
   *   be reached.
   */
  check(): Promise<void>;
}

/**
 * Makes a sink that writes batches of rows to a table.
 *
 * It uses your own postgres.js instance and opens no connection itself. Values are checked before
 * they reach the driver, and a row that cannot be written (a missing column, a NUL in a text, an
 * object for a number) rejects alone, with a {@linkcode PostgresWriteError}. Each item's result is
 * `"inserted"`, `"updated"` or `"skipped"`.
 *
 * If rows of one batch have the same key, `"ignore"` keeps the first and `"update"` the last, and the
 * others are `"skipped"`. With the method `"rows"` they race.
 *
 * @example Usage
 * ```ts ignore
 * import { AsyncBatcher } from "@burst/batcher";
 * import { postgresOptions, postgresWriter } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * const sql = postgres("postgres://localhost/shop", { ...postgresOptions });
 * const writer = postgresWriter(sql, {
 *   table: "users",
 *   columns: ["id", "hash"],
 *   conflict: { target: ["id"], action: "ignore" },
 * });
 * await using batcher = new AsyncBatcher(writer);
 * const outcome = await batcher.add({ id: 1, hash: "…" }); // "inserted"
 * ```
 *
 * @param sql The postgres.js instance.
 * @param options The options.
 * @returns The sink.
 * @throws {TypeError} If an option is missing, or two of them contradict each other.
 */
export function postgresWriter(sql: Sql, options: PostgresWriterOptions): PostgresWriter {
  const { table, columns, conflict, method = "unnest" } = options;
  checkOptions(options);
  if (method === "copy" && sql.options.fetch_types === false) {
    throw new TypeError(
      `Cannot create a writer as the method "copy" reserves connections, which postgres.js cannot open with 'fetch_types: false'`,
    );
  }
  const target = conflict?.target ?? [];
  const update = conflict?.action === "update"
    ? conflict.update ?? columns.filter((name) => !target.includes(name))
    : undefined;
  async function read(): Promise<{ table: Table; save: Method }> {
    const found = await readTable(sql, { table, columns, target, purpose: "save rows" });
    const byName = (name: string) => found.columns[columns.indexOf(name)];
    const onConflict: ConflictPlan | undefined = conflict && { update: update?.map(byName) };
    switch (method) {
      case "unnest":
        return { table: found, save: unnestMethod(sql, found, onConflict) };
      case "rows":
        return { table: found, save: rowsMethod(sql, found, onConflict) };
      case "copy":
        return { table: found, save: copyMethod(sql, found) };
    }
  }

  const plan = new Plan(read);

  async function send(
    items: readonly Row[],
    batch: Batch,
  ): Promise<readonly (RowOutcome | Error)[]> {
    const { table, save } = await plan.get();
    const results: (RowOutcome | Error)[] = new Array(items.length);
    const cells: (string | null)[][] = table.columns.map(() => []);
    const sent: number[] = [];
    for (let i = 0; i < items.length; i++) {
      try {
        const values = encodeRow(table, items[i]);
        for (let j = 0; j < values.length; j++) cells[j].push(values[j]);
        sent.push(i);
      } catch (error) {
        if (!(error instanceof PostgresWriteError)) throw error;
        results[i] = error;
      }
    }
    if (sent.length === 0) return results;
    const outcomes = await save(cells, batch.signal).catch((error) => {
      plan.reconsider(error);
      throw error;
    });
    for (let j = 0; j < sent.length; j++) results[sent[j]] = outcomes[j];
    return results;
  }

  return {
    send,
    defaults: {
      maxItems: method === "copy" ? 5_000 : 500,
      maxInFlight: 4,
      idempotent: conflict !== undefined,
      retry: RETRY,
      bisect: true,
      orderingKey: update && ((row: Row) => orderingKey(row, target)),
    },
    check: async () => void await plan.get(),
  };
}

/** Two ways to write a key, as 7 and 07, are two keys here: which of them wins is left open. */
function orderingKey(row: Row, target: readonly string[]): string {
  return target.map((name) => String(row?.[name])).join("\0");
}

function encodeRow({ columns, target }: Table, row: Row): (string | null)[] {
  if (typeof row !== "object" || row === null) {
    throw badValue("save rows", "42804", `it must be an object: it is ${describe(row)}`);
  }
  const values = columns.map(({ name, encode }) => {
    if (name in row) return encode(row[name]);
    throw badValue("save rows", "42703", `column '${name}' is missing in it`);
  });
  for (const column of target) {
    if (values[columns.indexOf(column)] !== null) continue;
    throw badValue(
      "save rows",
      "23502",
      `column '${column.name}' is part of the key and must not be null`,
    );
  }
  return values;
}

function checkOptions(
  { table, columns, conflict, method = "unnest" }: PostgresWriterOptions,
): void {
  const refuse = (why: string): never => {
    throw new TypeError(`Cannot create a writer as ${why}`);
  };
  checkName("create a writer", "table", table);
  checkNames("create a writer", "columns", columns);
  if (!["unnest", "rows", "copy"].includes(method)) {
    refuse(
      `'method' must be "unnest", "rows" or "copy": current value is ${JSON.stringify(method)}`,
    );
  }
  if (conflict === undefined) return;
  if (method === "copy") refuse(`the method "copy" knows no conflicts: use "unnest"`);
  checkNames("create a writer", "conflict.target", conflict.target);
  const { target, action, update = columns.filter((name) => !target.includes(name)) } = conflict;
  if (action !== "ignore" && action !== "update") {
    refuse(
      `'conflict.action' must be "ignore" or "update": current value is ${JSON.stringify(action)}`,
    );
  }
  if (action === "update") checkNames("create a writer", "conflict.update", update);
  for (const name of [...target, ...(action === "update" ? update : [])]) {
    if (!columns.includes(name)) refuse(`'columns' lacks '${name}', which 'conflict' names`);
  }
}
