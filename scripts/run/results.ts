import type { Sql } from "postgres";
import type { AsyncBatcherOptions, Sink } from "../../batcher.ts";
import type { Existing } from "../../pipeline.ts";
import {
  type ColumnDescription,
  describeTable,
  postgresLookup,
  PostgresText,
  postgresWriter,
  type Row,
  type RowOutcome,
} from "../../postgres.ts";
import { ScriptError } from "../cli/run.ts";
import { asText } from "../input/row.ts";
import { conflictOf, type OnConflict } from "../table/conflict.ts";
import type { TableSinksOptions } from "../table/sinks.ts";
import { checkIdType, createTable, isUnfit, quote, quoteTable } from "../table/table.ts";

/** A column of the table that is saved to. */
export type Column = Pick<ColumnDescription, "name" | "required">;

/**
 * Makes rows of results. Each must have the columns that others before it had; it may have more of
 * those that the table has, where that is known.
 *
 * @param id The column of the id, which no result may change.
 * @param known The columns of the table, if it is there.
 * @returns What makes a row, or throws why there is none. A field of a row of CSV that the function
 *   has returned as it is means what the column makes of its text.
 */
export function rowMaker(
  id: string,
  known: readonly Column[] | undefined,
): (id: unknown, result: unknown, csv?: Readonly<Record<string, unknown>>) => Row | null {
  const required = known?.filter((column) => column.required && column.name !== id) ?? [];
  const columns = new Set(required.map(({ name }) => name));
  let isFirst = true;
  return (value, result, csv = {}) => {
    if (result === null) return null;
    if (typeof result !== "object" || Array.isArray(result)) {
      throw new Error(`its result must be an object or null, not ${kindOf(result)}`);
    }
    if (Object.hasOwn(result, id) && String((result as Row)[id]) !== String(value)) {
      throw new Error(`its result changes column '${id}', which is that of the id`);
    }
    const names = Object.keys(result).filter((name) => name !== id);
    if (names.length === 0) throw new Error("its result has no columns");
    const isKnown = (name: string) =>
      known === undefined ? isFirst || columns.has(name) : known.some((one) => one.name === name);
    const unknown = names.find((name) => !isKnown(name));
    if (unknown !== undefined) {
      const who = known === undefined ? "the first one" : "the table";
      throw new Error(`its result has a column '${unknown}', which ${who} does not have`);
    }
    const missing = [...columns].find((name) => !names.includes(name));
    if (missing !== undefined) throw new Error(`its result has no column '${missing}'`);
    const empty = names.find((name) => (result as Row)[name] === undefined);
    if (empty !== undefined) throw new Error(`its result is undefined in column '${empty}'`);
    const odd = known === undefined
      ? names.find((name) => !hasType((result as Row)[name]))
      : undefined;
    if (odd !== undefined) {
      const what = kindOf((result as Row)[odd]);
      throw new Error(
        `its result has ${what} in column '${odd}', which --create-table has no type for`,
      );
    }
    isFirst = false;
    for (const name of names) columns.add(name);
    const entries = names.map((name) => {
      const one = (result as Row)[name];
      return [name, Object.hasOwn(csv, name) && csv[name] === one ? asText(one) : one] as const;
    });
    return { [id]: value, ...Object.fromEntries(entries) };
  };
}

function kindOf(value: unknown): string {
  if (value === undefined) return "undefined";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  return `an object of type ${Object.prototype.toString.call(value).slice(8, -1)}`;
}

/** Options of {@linkcode resultSinks}. */
export interface ResultSinksOptions extends TableSinksOptions {
  readonly table: string;
  /** The column of the id. */
  readonly id: string;
  /** The columns of the table; it is created if there are none. */
  readonly known: readonly Column[] | undefined;
  /** Called with a sentence for the user. */
  readonly onNote: (sentence: string) => void;
}

/**
 * Saves results in a table, which the first batch with each set of columns is checked against, and
 * looks up which ids it has.
 */
export function resultSinks(
  sql: Sql,
  options: ResultSinksOptions,
): { sink: Sink<Row, RowOutcome>; lookup: Sink<unknown, Existing> | undefined } {
  const { table, id, known, retryFor, linger, onSave, onLookup } = options;
  const lookup = postgresLookup(sql, { table, key: id });
  const retry = { ...lookup.defaults.retry, deadline: retryFor };
  return {
    sink: resultSink(sql, options, { linger, retry, onBatch: onSave }),
    // A table that is to be created has nothing in it.
    lookup: known && {
      ...lookup,
      defaults: { ...lookup.defaults, maxInFlight: 1, retry, onBatch: onLookup },
    },
  };
}

function resultSink(
  sql: Sql,
  { table, id, known, onConflict, onNote }: ResultSinksOptions,
  overrides: AsyncBatcherOptions<Row>,
): Sink<Row, RowOutcome> {
  const writerOf = (columns: readonly string[]) =>
    postgresWriter(sql, {
      table,
      columns,
      conflict: conflictOf(id, onConflict),
    });
  const writers = new Map<string, Promise<ReturnType<typeof writerOf>>>();

  async function open(rows: readonly Row[]) {
    const columns = Object.keys(rows[0]);
    if (known === undefined) {
      const definition = columns.map((name) => {
        const values = rows.map((row) => row[name]);
        const type = name === id ? `${idTypeOf(values)} primary key` : typeOf(values);
        return `${quote(name)} ${type}`;
      }).join(", ");
      onNote(`Creating table '${table}': ${definition}`);
      await createTable(sql, `${quoteTable(table)} (${definition})`);
    }
    const writer = writerOf(columns);
    await writer.check();
    return writer;
  }

  return {
    send: async (rows, batch) => {
      const columns = columnsOf(rows[0]);
      if (!writers.has(columns)) writers.set(columns, open(rows));
      const writer = await writers.get(columns)!.catch((error) => {
        writers.delete(columns);
        if (isUnfit(error)) {
          error = new ScriptError(error.message);
        }
        // The next batch is no better.
        if (error instanceof ScriptError) Object.assign(error, { retryable: false });
        throw error;
      });
      return await writer.send(rows, batch);
    },
    defaults: {
      ...writerOf([id, `${id}…`]).defaults,
      // A column that some results lack keeps its default, or the value that it has.
      groupBy: columnsOf,
      ...overrides,
    },
  };
}

function columnsOf(row: Row): string {
  return JSON.stringify(Object.keys(row).sort());
}

/** The type of a column that takes these values. */
export function typeOf(values: readonly unknown[]): string {
  const types = new Set(values.filter((value) => value !== null).map(typeOfOne));
  if (types.size === 0) return "text";
  if (types.size === 1) return [...types][0];
  if (!types.isSubsetOf(NUMBERS)) return "jsonb";
  return types.has("numeric") ? "numeric" : "double precision";
}

/** Whether a column can be created for it. What is in an object is checked where it is written. */
function hasType(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return typeof value !== "function" && typeof value !== "symbol";
  }
  if (Array.isArray(value) || typeOfOne(value) !== "jsonb") return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const NUMBERS = new Set(["bigint", "double precision", "numeric"]);

/** The type of a column of ids, which are texts and numbers. It must not round. */
function idTypeOf(ids: readonly unknown[]): string {
  const type = typeOf(ids);
  if (type === "jsonb") return "text";
  return type === "double precision" ? "numeric" : type;
}

function typeOfOne(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return "numeric";
    case "number":
      return Number.isSafeInteger(value) ? "bigint" : "double precision";
    case "boolean":
      return "boolean";
    case "string":
      return "text";
  }
  if (value instanceof PostgresText) return "text";
  if (value instanceof Date) return "timestamptz";
  if (value instanceof Uint8Array) return "bytea";
  const isFlat = Array.isArray(value) && value.length > 0 &&
    value.every((one) => typeof one === typeof value[0] && typeof one !== "object");
  if (!isFlat) return "jsonb";
  return typeof value[0] === "number" ? "double precision[]" : `${typeOfOne(value[0])}[]`;
}

/**
 * Finds the columns of a table with a unique id; `undefined` if it is to be created.
 *
 * @throws {ScriptError} If it is not, and is not to be created, or its id is not unique.
 */
export async function findTable(
  sql: Sql,
  { table, id, create, onConflict }: {
    table: string;
    id: string;
    create: boolean;
    onConflict: OnConflict;
  },
): Promise<readonly Column[] | undefined> {
  try {
    const { columns } = await describeTable(sql, table);
    await postgresLookup(sql, { table, key: id }).check();
    // The other columns are known with the first result.
    const conflict = conflictOf(id, onConflict === "error" ? "error" : "skip");
    await postgresWriter(sql, { table, columns: [id], conflict }).check();
    checkIdType(columns, { table, id });
    return columns;
  } catch (error) {
    if (!isUnfit(error)) throw error;
    if (error.code !== "42P01") throw new ScriptError(error.message);
    if (create) return undefined;
    throw new ScriptError(`${error.message}: use --create-table, or check --table`);
  }
}
