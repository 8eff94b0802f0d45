import type { Sql } from "postgres";
import type { AsyncBatcherOptions, Sink } from "../../batcher.ts";
import {
  describeTable,
  PostgresText,
  postgresWriter,
  type Row,
  type RowOutcome,
} from "../../postgres.ts";
import { ScriptError } from "../cli/run.ts";
import { asText } from "../input/row.ts";
import { conflictOf, type OnConflict } from "../table/conflict.ts";
import { createTable, isUnfit, quote, quoteTable } from "../table/table.ts";

/**
 * Makes rows of results. The first result says which columns there are, and the others must have the
 * same.
 *
 * @param id The column of the id, which no result may have.
 * @param known The columns of the table, if it is there.
 * @returns What makes a row, or throws why there is none. A field of a row of CSV that the function
 *   has returned as it is means what the column makes of its text.
 */
export function rowMaker(
  id: string,
  known: readonly string[] | undefined,
): (id: unknown, result: unknown, csv?: Readonly<Record<string, unknown>>) => Row | null {
  let columns: readonly string[] | undefined;
  return (value, result, csv = {}) => {
    if (result === null) return null;
    if (typeof result !== "object" || Array.isArray(result)) {
      throw new Error(`its result must be an object or null, not ${kindOf(result)}`);
    }
    const names = Object.keys(result);
    if (names.includes(id)) {
      throw new Error(`its result has a column '${id}', which is that of the id`);
    }
    const unknown = known && names.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new Error(`its result has a column '${unknown}', which the table does not have`);
    }
    if (columns === undefined) {
      if (names.length === 0) throw new Error("its result has no columns");
      columns = names;
    }
    const missing = columns.find((name) => !names.includes(name));
    if (missing !== undefined) throw new Error(`its result has no column '${missing}'`);
    const extra = names.find((name) => !columns!.includes(name));
    if (extra !== undefined) {
      throw new Error(`its result has a column '${extra}', which the first one does not have`);
    }
    const empty = names.find((name) => (result as Row)[name] === undefined);
    if (empty !== undefined) throw new Error(`its result is undefined in column '${empty}'`);
    const entries = Object.entries(result).map(([name, one]) =>
      [name, Object.hasOwn(csv, name) && csv[name] === one ? asText(one) : one] as const
    );
    return { [id]: value, ...Object.fromEntries(entries) };
  };
}

function kindOf(value: unknown): string {
  if (value === undefined) return "undefined";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/** Options of {@linkcode resultSink}. */
export interface ResultSinkOptions {
  readonly table: string;
  /** The column of the id. */
  readonly id: string;
  /** Whether the table is created, as it is missing. */
  readonly create: boolean;
  readonly onConflict: OnConflict;
  readonly overrides: AsyncBatcherOptions<Row>;
  /** Called with a sentence for the user. */
  readonly onNote: (sentence: string) => void;
}

/** Saves results in a table, which the first batch of them is checked against. */
export function resultSink(
  sql: Sql,
  { table, id, create, onConflict, overrides, onNote }: ResultSinkOptions,
): Sink<Row, RowOutcome> {
  const writerOf = (columns: readonly string[]) =>
    postgresWriter(sql, {
      table,
      columns,
      conflict: conflictOf(id, onConflict),
    });
  let writer: Promise<ReturnType<typeof writerOf>> | undefined;

  async function open(rows: readonly Row[]) {
    const columns = Object.keys(rows[0]);
    if (create) {
      const definition = columns.map((name) =>
        `${quote(name)} ${typeOf(rows.map((row) => row[name]))}${name === id ? " primary key" : ""}`
      ).join(", ");
      onNote(`Creating table '${table}': ${definition}`);
      await createTable(sql, `${quoteTable(table)} (${definition})`);
    }
    const { columns: found } = await describeTable(sql, table);
    const unfilled = found.find(({ name, required }) => required && !columns.includes(name));
    if (unfilled !== undefined) {
      throw new ScriptError(
        `Cannot save results as column '${unfilled.name}' of table '${table}' must not be null and has no default: return it too`,
      );
    }
    const writer = writerOf(columns);
    await writer.check();
    return writer;
  }

  return {
    send: async (rows, batch) => {
      writer ??= open(rows).catch((error) => {
        writer = undefined;
        if (isUnfit(error)) {
          error = new ScriptError(error.message);
        }
        // The next batch is no better.
        if (error instanceof ScriptError) Object.assign(error, { retryable: false });
        throw error;
      });
      return await (await writer).send(rows, batch);
    },
    defaults: { ...writerOf([id, `${id}…`]).defaults, ...overrides },
  };
}

/** The type of a column that takes these values. */
export function typeOf(values: readonly unknown[]): string {
  const types = new Set(values.filter((value) => value !== null).map(typeOfOne));
  if (types.size === 1) return [...types][0];
  const isNumeric = [...types].every((type) => type === "bigint" || type === "double precision");
  if (types.size === 0) return "text";
  return isNumeric ? "double precision" : "jsonb";
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
  lookup: { check(): Promise<void> },
  { table, id, create, onConflict }: {
    table: string;
    id: string;
    create: boolean;
    onConflict: OnConflict;
  },
): Promise<readonly string[] | undefined> {
  try {
    const { columns } = await describeTable(sql, table);
    await lookup.check();
    // The other columns are known with the first result.
    const conflict = conflictOf(id, onConflict === "error" ? "error" : "skip");
    await postgresWriter(sql, { table, columns: [id], conflict }).check();
    return columns.map(({ name }) => name);
  } catch (error) {
    if (!isUnfit(error)) throw error;
    if (error.code !== "42P01") throw new ScriptError(error.message);
    if (create) return undefined;
    throw new ScriptError(`${error.message}: use --create-table, or check --table`);
  }
}
