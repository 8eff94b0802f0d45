/**
 * Save many rows to PostgreSQL, and know what became of each: {@linkcode postgresWriter} is a sink for
 * an `AsyncBatcher` that writes a batch with one statement, through your own postgres.js.
 * {@linkcode postgresLookup} asks for many keys at once. Both run in Deno, Node 22 or later, and Bun.
 *
 * @example Rows into a table
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher";
 * import { postgresOptions, postgresWriter } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * async function save(url: string, users: { id: number; hash: string }[]) {
 *   const sql = postgres(url, postgresOptions);
 *   const batcher = new AsyncBatcher(postgresWriter(sql, {
 *     table: "users",
 *     columns: ["id", "hash"],
 *     conflict: { target: ["id"], action: "ignore" },
 *   }));
 *   for (const user of users) await batcher.push(user);
 *   const { saved, failures = [] } = await batcher.close();
 *   console.log(`${saved} saved, ${failures.length} not`);
 *   await sql.end({ timeout: 5 });
 * }
 * ```
 *
 * @module
 */
import type { Sql } from "postgres";
import type { AsyncBatcherOptions, Batch, Sink } from "./batcher.ts";
import { badValue, PostgresWriteError } from "./_internal/postgres/errors.ts";
import { checkName, checkNames, RETRY } from "./_internal/postgres/options.ts";
import { Plan } from "./_internal/postgres/plan.ts";
import { type Cells, type RowOutcome, Saver } from "./_internal/postgres/saver.ts";
import { postgresOptions } from "./_internal/postgres/socket.ts";
import { type Column, readTable, type Table } from "./_internal/postgres/table.ts";
import { type Cell, PostgresText } from "./_internal/postgres/text.ts";
import { describe } from "./_internal/shared/validate.ts";

export { postgresOptions, PostgresText, PostgresWriteError };
export type { RowOutcome };
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

/** Batches in flight, however small the pool: one travels while another is being saved. */
const MIN_IN_FLIGHT = 4;

/**
 * A row: a value for each column. `null` is NULL; a missing column is an error. A
 * {@linkcode PostgresText} is read as the column's type reads text.
 */
export type Row = Record<string, unknown>;

/**
 * What to do with a row whose key is in the table already.
 *
 * @typeParam Column The names of the columns.
 */
export interface Conflict<Column extends string = string> {
  /** The key: the columns of a unique constraint. None of them may be NULL in a row. */
  target: readonly Column[];
  /** Whether the row in the table stays as it is or takes the values of the new one. */
  action: "ignore" | "update";
  /**
   * The columns to update.
   *
   * @default {all columns outside the target}
   */
  update?: readonly Column[];
}

/**
 * Options of {@linkcode postgresWriter}.
 *
 * @typeParam T The type of the rows.
 */
export interface PostgresWriterOptions<T extends object = Row> {
  /** `"table"`, found on the search path, or `"schema.table"`. Case matters. */
  table: string;
  /** The columns to write. */
  columns: readonly (keyof T & string)[];
  /** What to do with a row whose key is there already. Without it, such a row fails its batch. */
  conflict?: Conflict<keyof T & string>;
}

/**
 * A sink for an {@linkcode AsyncBatcher}: `new AsyncBatcher(writer)`.
 *
 * @typeParam T The type of the rows.
 */
export interface PostgresWriter<T extends object = Row> extends Sink<T, RowOutcome> {
  /** Writes one batch. */
  readonly send: (items: readonly T[], batch: Batch) => Promise<readonly (RowOutcome | Error)[]>;
  /**
   * Options that suit it.
   *
   * A batch may be in flight for each connection of the pool (postgres.js: `max`, 10 unless you say
   * otherwise), and four at least, as the driver sends several down one connection.
   *
   * Temporary failures are retried for two minutes, with pauses of up to 5 s: long enough to restart
   * a server. A batch that was refused because of single rows is split until those stand alone. With
   * a `conflict`, a batch whose outcome is unknown may be sent again; if the action is `"update"`,
   * rows with the same key are saved in the order in which they were added.
   */
  readonly defaults: Readonly<
    & Required<
      Pick<
        AsyncBatcherOptions<T>,
        "maxItems" | "maxInFlight" | "idempotent" | "retry" | "bisect"
      >
    >
    & Pick<AsyncBatcherOptions<T>, "orderingKey">
  >;
  /**
   * Reads the table's columns and types from the catalogue, once, and asks the server to plan the
   * statement, which it does not run. So it finds what could not work: a missing right, a view or a
   * rule, a key that is not unique.
   *
   * @throws {PostgresWriteError} If the table, a column or the key is missing, the server would refuse
   *   the statement, or it cannot be reached.
   */
  check(): Promise<void>;
}

/**
 * Makes a sink that writes batches of rows to a table. A batch is one statement, all or nothing; the
 * same prepared statement serves every batch size.
 *
 * It uses your own postgres.js instance and opens no connection itself, except to cancel a statement.
 * Values are checked before they reach the driver, and a row that cannot be written (a missing
 * column, a NUL in a text, an object for a number) rejects alone, with a
 * {@linkcode PostgresWriteError}. Each item's result is `"inserted"`, `"updated"` or `"skipped"`.
 *
 * A row that neither is in the table nor was returned has met a trigger that kept it out or changed its
 * key: it rejects alone, with an {@linkcode UnknownOutcomeError}.
 *
 * If rows of one batch have the same key, `"ignore"` keeps the first and `"update"` the last, and the
 * others are `"skipped"`.
 *
 * After an attempt that got no answer, a row that is there may be our own. It counts as `"inserted"`
 * if it has the values that were written, in all columns, and was written while the program ran. That
 * is also true if another program wrote the very same row meanwhile, and not if a trigger changed it.
 *
 * A batch that is aborted, by its timeout for example, settles once its statement is known to be
 * over: the server is asked to cancel it, and after a second its connection is reset and its backend
 * ended. With `"update"`, that also applies to a batch whose connection breaks, so that it cannot
 * overwrite a newer row. If it is not known within two minutes, or the server is behind a pooler and
 * does not answer, the error has `over: false`: the rows may still be saved later.
 *
 * @example Usage
 * ```ts ignore
 * import { AsyncBatcher } from "@burst/batcher";
 * import { postgresOptions, postgresWriter } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * interface User {
 *   id: number;
 *   hash: string;
 * }
 *
 * const sql = postgres("postgres://localhost/shop", { ...postgresOptions });
 * const writer = postgresWriter<User>(sql, {
 *   table: "users",
 *   columns: ["id", "hash"],
 *   conflict: { target: ["id"], action: "ignore" },
 * });
 * await using batcher = new AsyncBatcher(writer);
 * const outcome = await batcher.add({ id: 1, hash: "…" }); // "inserted"
 * ```
 *
 * @typeParam T The type of the rows.
 * @param sql The postgres.js instance.
 * @param options The options.
 * @returns The sink.
 * @throws {TypeError} If an option is missing, or two of them contradict each other.
 */
export function postgresWriter<T extends object = Row>(
  sql: Sql,
  options: PostgresWriterOptions<NoInfer<T>>,
): PostgresWriter<T> {
  checkOptions(options);
  const { table, columns, conflict } = options;
  const target: readonly string[] = conflict?.target ?? [];
  const update = conflict?.action === "update" ? updatedColumns(columns, conflict) : undefined;
  const plan = new Plan(async (signal) => {
    const found = await readTable(sql, {
      table,
      columns,
      target,
      updated: update,
      purpose: "save rows",
      signal,
    });
    const byName = (name: string) => found.columns[columns.findIndex((one) => one === name)];
    return new Saver(sql, found, conflict && { update: update?.map(byName) });
  });

  async function send(
    items: readonly T[],
    batch: Batch,
  ): Promise<readonly (RowOutcome | Error)[]> {
    const saver = await plan.get(batch.signal);
    const { cells, errors } = encodeRows(saver.table, items);
    const nothing = errors.size === items.length;
    const outcomes = nothing ? [] : await saver.save(cells, batch).catch((error) => {
      plan.reconsider(error);
      throw error;
    });
    if (errors.size === 0) return outcomes;
    let next = 0;
    return items.map((_, i) => errors.get(i) ?? outcomes[next++]);
  }

  return {
    send,
    defaults: {
      maxItems: 500,
      // A reserved connection has no options.
      maxInFlight: Math.max(MIN_IN_FLIGHT, sql.options?.max ?? 1),
      idempotent: conflict !== undefined,
      retry: RETRY,
      bisect: true,
      orderingKey: update && ((row: T) => orderingKey(row as Row, target)),
    },
    check: async () => await (await plan.get()).explain(),
  };
}

function updatedColumns<Column extends string>(
  columns: readonly Column[],
  { target, update }: Conflict<Column>,
): readonly Column[] {
  return update ?? columns.filter((name) => !target.includes(name));
}

/** Two ways to write a key, as 7 and 07, are two keys here: which of them wins is left open. */
function orderingKey(row: Row, target: readonly string[]): string {
  return target.map((name) => String(row?.[name])).join("\0");
}

/** The values of the rows that can be written, and the errors of the others by their places. */
function encodeRows(
  { columns, target }: Table,
  rows: readonly object[],
): { cells: Cells; errors: ReadonlyMap<number, PostgresWriteError> } {
  const errors = new Map<number, PostgresWriteError>();
  const cells = columns.map((column) => {
    const isKey = target.includes(column);
    return rows.map((row, i) => {
      try {
        return encodeCell(column, row as Row, isKey);
      } catch (error) {
        if (!(error instanceof PostgresWriteError)) throw error;
        if (!errors.has(i)) errors.set(i, error);
        return null;
      }
    });
  });
  if (errors.size === 0) return { cells, errors };
  return { cells: cells.map((column) => column.filter((_, i) => !errors.has(i))), errors };
}

function encodeCell({ name, encode }: Column, row: Row, isKey: boolean): Cell {
  if (typeof row !== "object" || row === null) {
    throw badValue("save rows", "42804", `it must be an object: it is ${describe(row)}`);
  }
  const value = row[name];
  if (value === undefined && !(name in row)) {
    throw badValue("save rows", "42703", `column '${name}' is missing in it`);
  }
  const cell = encode(value);
  if (!isKey || cell !== null) return cell;
  throw badValue(
    "save rows",
    "23502",
    `column '${name}' is part of the key and must not be null`,
  );
}

function checkOptions(
  { table, columns, conflict }: {
    readonly table: string;
    readonly columns: readonly string[];
    readonly conflict?: Conflict;
  },
): void {
  const intent = "create a writer";
  const refuse = (why: string): never => {
    throw new TypeError(`Cannot ${intent} as ${why}`);
  };
  checkName(intent, "table", table);
  checkNames(intent, "columns", columns);
  if (conflict === undefined) return;
  checkNames(intent, "conflict.target", conflict.target);
  const { target, action } = conflict;
  if (action !== "ignore" && action !== "update") {
    refuse(
      `'conflict.action' must be "ignore" or "update": current value is ${JSON.stringify(action)}`,
    );
  }
  const update = action === "update" ? updatedColumns(columns, conflict) : [];
  if (action === "update") checkNames(intent, "conflict.update", update);
  for (const name of [...target, ...update]) {
    if (!columns.includes(name)) refuse(`'columns' lacks '${name}', which 'conflict' names`);
  }
}
