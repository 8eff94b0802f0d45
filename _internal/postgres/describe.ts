import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import { PostgresWriteError } from "./errors.ts";
import { readCatalogue } from "./table.ts";

/** What {@linkcode describeTable} finds. */
export interface TableDescription {
  /** Its columns, in order. */
  readonly columns: readonly ColumnDescription[];
}

/** A column of a {@linkcode TableDescription}. */
export interface ColumnDescription {
  /** Its name. */
  readonly name: string;
  /** Its type as SQL writes it, for example `"character varying(60)"`. */
  readonly type: string;
  /** Whether a new row needs a value for it: it is NOT NULL and has no default. */
  readonly required: boolean;
  /**
   * Asks the server whether the column would keep a value unchanged. It would not keep a text that
   * it truncates, a number that it rounds or that does not fit, or a word in a column of numbers.
   *
   * @param value The value.
   * @returns Whether the column would return the same text.
   */
  keeps(value: string | number | bigint): Promise<boolean>;
}

/**
 * Describes a table, so that a program can find out what would not fit before it starts to work.
 *
 * @example Is there room for a hash?
 * ```ts ignore
 * import { describeTable } from "@burst/batcher/postgres";
 *
 * const { columns } = await describeTable(sql, "users");
 * const hash = columns.find(({ name }) => name === "hash");
 * if (!await hash?.keeps("$2b$12$…")) console.error(`${hash?.type} is too short`);
 * ```
 *
 * @param sql The postgres.js instance.
 * @param table `"table"`, found on the search path, or `"schema.table"`. Case matters.
 * @returns The description.
 * @throws {PostgresWriteError} With code 42P01 if there is no such table, or if the server cannot be
 *   reached.
 */
export async function describeTable(sql: Sql, table: string): Promise<TableDescription> {
  const { columns } = await readCatalogue(sql, table, { intent: "describe a table" });
  return {
    columns: columns.map(({ name, required, value: { name: type } }) => ({
      name,
      type,
      required,
      keeps: (value) => keeps(sql, type, String(value)),
    })),
  };
}

async function keeps(sql: Sql, type: string, text: string): Promise<boolean> {
  try {
    const answer = await ask(sql, `select (($1::text::${type})::text = $1::text)::text`, {
      intent: "check a value",
      parameters: [text],
    });
    return cellOf(answer) === "true";
  } catch (error) {
    // It is no such value, or a constraint of its domain refuses it.
    if (error instanceof PostgresWriteError && /^(22|23|42)/.test(error.code)) return false;
    throw error;
  }
}
