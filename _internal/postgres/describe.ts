import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import { PostgresWriteError } from "./errors.ts";
import { readCatalogue } from "./table.ts";

/** A table, as {@linkcode describeTable} finds it. */
export interface TableDescription {
  /** Its columns, in their order. */
  readonly columns: readonly ColumnDescription[];
}

/** A column of a {@linkcode TableDescription}. */
export interface ColumnDescription {
  /** Its name. */
  readonly name: string;
  /** Its type as SQL writes it, for example `"character varying(60)"`. */
  readonly type: string;
  /** Whether a new row needs a value for it: it must not be null, and has no default. */
  readonly required: boolean;
  /**
   * Asks the server whether the column keeps a value as it is: a text that would be cut or is no
   * number, and a number that would be rounded or does not fit, are not kept.
   *
   * @param value The value.
   * @returns Whether the column would give the same text back.
   */
  keeps(value: string | number | bigint): Promise<boolean>;
}

/**
 * Describes a table, so that a program can find what would not fit before it starts to work.
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
 * @param table `"table"`, looked up on the search path, or `"schema.table"`. Case counts.
 * @returns The description.
 * @throws {PostgresWriteError} With code 42P01 if there is no such table, or if the server is out of
 * reach.
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
