import type { Sql } from "postgres";
import type { AsyncBatcherOptions, Batch, Sink } from "../../batcher.ts";
import { cellOf } from "./ask.ts";
import { badValue, PostgresWriteError } from "./errors.ts";
import { checkName, checkNames, RETRY } from "./options.ts";
import { Plan } from "./plan.ts";
import { run } from "./run.ts";
import { PINNED } from "./settings.ts";
import { type Column, readTable, type Table } from "./table.ts";

/** Options of {@linkcode postgresLookup}. */
export interface PostgresLookupOptions<Name extends string = never> {
  /** `"table"`, found on the search path, or `"schema.table"`. Case matters. */
  table: string;
  /** The column with the keys. It must be unique. */
  key: string;
  /**
   * The columns to return of each row that is found.
   *
   * @default {[]}
   */
  columns?: readonly Name[];
}

/** What {@linkcode postgresLookup} finds for a key. */
export interface Found<Name extends string = never> {
  /** The key as the column writes it: the same for `7`, `"7"` and `"07"` in a column of integers. */
  readonly key: string;
  /** The row with this key, each value as PostgreSQL prints it; `undefined` if there is none. */
  readonly row: Readonly<Record<Name, string | null>> | undefined;
}

/** A sink for an {@linkcode AsyncBatcher}: `new AsyncBatcher(lookup)`. */
export interface PostgresLookup<Name extends string = never> extends Sink<unknown, Found<Name>> {
  /** Looks up one batch. */
  readonly send: (
    keys: readonly unknown[],
    batch: Batch,
  ) => Promise<readonly (Found<Name> | Error)[]>;
  /** Options that suit it: temporary failures are retried for two minutes. */
  readonly defaults: Readonly<
    Required<Pick<AsyncBatcherOptions<unknown>, "maxItems" | "idempotent" | "retry" | "bisect">>
  >;
  /**
   * Reads the table's columns and types from the catalogue, once, and finds what could not work. The
   * first batch does the same.
   *
   * @throws {PostgresWriteError} If the table, a column or the unique key is missing, or the server
   *   cannot be reached.
   */
  check(): Promise<void>;
}

/**
 * Makes a sink that looks up many keys with one statement: which of them are in the table, and some
 * columns of their rows.
 *
 * A key that the column cannot hold (a word in a column of numbers, a text that is too long) rejects
 * alone, with a {@linkcode PostgresWriteError}.
 *
 * @example Which users are there already?
 * ```ts ignore
 * import { AsyncBatcher } from "@burst/batcher";
 * import { postgresLookup, postgresOptions } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * const sql = postgres("postgres://localhost/shop", { ...postgresOptions });
 * const lookup = postgresLookup(sql, {
 *   table: "users",
 *   key: "email",
 *   columns: ["hash"],
 * });
 * await using users = new AsyncBatcher(lookup);
 * const { row } = await users.add("anna@example.com");
 * console.log(row === undefined ? "nobody" : row.hash);
 * ```
 *
 * @typeParam Name The names of the columns that are read.
 * @param sql The postgres.js instance.
 * @param options The options.
 * @returns The sink.
 * @throws {TypeError} If an option is missing.
 */
export function postgresLookup<const Name extends string = never>(
  sql: Sql,
  { table, key, columns = [] }: PostgresLookupOptions<Name>,
): PostgresLookup<Name> {
  const intent = "create a look-up";
  checkName(intent, "table", table);
  checkName(intent, "key", key);
  if (columns.length > 0) checkNames(intent, "columns", columns);
  const plan = new Plan(async (signal) => {
    const names = [...new Set([key, ...columns])];
    const found = await readTable(sql, {
      table,
      columns: names,
      target: [key],
      purpose: "look up keys",
      signal,
    });
    const shown = columns.map((name) => found.columns[names.indexOf(name)]);
    return { key: found.columns[0], statement: lookupStatement(found, shown) };
  });

  async function send(
    keys: readonly unknown[],
    batch: Batch,
  ): Promise<readonly (Found<Name> | Error)[]> {
    const { key: column, statement } = await plan.get(batch.signal);
    const results: (Found<Name> | Error)[] = new Array(keys.length);
    const written: string[] = [];
    const asked: number[] = [];
    for (let i = 0; i < keys.length; i++) {
      try {
        written.push(writeKey(column, keys[i]));
        asked.push(i);
      } catch (error) {
        if (!(error instanceof PostgresWriteError)) throw error;
        results[i] = error;
      }
    }
    if (asked.length === 0) return results;
    const answer = await run(sql, statement, {
      parameters: [`[${written}]`],
      signal: batch.signal,
      reads: true,
    }).catch((error) => {
      plan.reconsider(error);
      throw error;
    });
    const answers: KeyAnswer[] = JSON.parse(cellOf(answer));
    for (let j = 0; j < asked.length; j++) {
      const { key, row } = answers[j];
      results[asked[j]] = { key, row: row === null ? undefined : named(columns, row) };
    }
    return results;
  }

  return {
    send,
    defaults: { maxItems: 500, idempotent: true, retry: RETRY, bisect: true },
    check: async () => void await plan.get(),
  };
}

/** What the statement returns for each key. */
interface KeyAnswer {
  readonly key: string;
  readonly row: readonly (string | null)[] | null;
}

/**
 * The answer is one row, because postgres.js 3.4.9 keeps the rows that come before an error: the next
 * answer on that connection, to any question, begins with as many holes.
 *
 * The keys come as JSON, because the server then reads a type with a length as an INSERT does: it
 * refuses a text that is too long. A cast would truncate it and find another row.
 */
function lookupStatement({ quoted, target: [key] }: Table, shown: readonly Column[]): string {
  const cells = shown.map(({ quoted }) => `t.${quoted}::text`);
  return `select json_agg(json_build_object('key', asked.key::text, 'row', (
  select array[${cells}]::text[] from ${quoted} as t where t.${key.quoted} = asked.key limit 1
)) order by asked.ord)::text
from ${PINNED},
  rows from (json_to_recordset(case pinned.nulls when 'on' then $1::text::json end) as (key ${key.keyType}))
  with ordinality as asked (key, ord)`;
}

/** An element of the JSON that the statement takes. */
function writeKey({ name, type, encode }: Column, value: unknown): string {
  const cell = encode(value);
  if (cell === null) {
    throw badValue("look up keys", "23502", `column '${name}' cannot be asked for null`);
  }
  return `{"key":${type === "jsonb" ? cell : JSON.stringify(cell)}}`;
}

function named<Name extends string>(
  names: readonly Name[],
  values: readonly (string | null)[],
): Record<Name, string | null> {
  return Object.fromEntries(names.map((name, i) => [name, values[i]])) as Record<
    Name,
    string | null
  >;
}
