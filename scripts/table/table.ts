import type { Sql } from "postgres";
import { PostgresWriteError } from "../../postgres.ts";
import { type Column, readTable, type Table } from "../../_internal/postgres/table.ts";
import { textArray } from "../../_internal/postgres/text.ts";
import { ScriptError } from "../cli/run.ts";

/** The table that takes the hashes, and its columns. */
export interface Target {
  /** `"table"` or `"schema.table"`. */
  readonly table: string;
  readonly id: string;
  readonly hash: string;
  readonly carried: readonly string[];
}

/** Options of {@linkcode prepareTable}. */
export interface PrepareOptions {
  /** Whether a table that is missing is created. */
  readonly create: boolean;
  /** Whether the ids are numbers of lines. */
  readonly numbered: boolean;
}

/** As long as every hash of bcrypt, and with the characters that one has. */
const EXAMPLE = `$2b$12$${"./Az09".repeat(9).slice(0, 53)}`;

/**
 * Checks that the table can take ids, hashes and the further columns, before anything is hashed.
 *
 * @throws {ScriptError} If it cannot, with what to do.
 */
export async function prepareTable(
  sql: Sql,
  target: Target,
  { create, numbered }: PrepareOptions,
): Promise<Table> {
  const { table } = target;
  let found = await read(sql, target, create ? "" : ": use --create-table, or check --table");
  if (found === undefined) {
    await sql.unsafe(definition(target, numbered ? "bigint" : "text"));
    found = await read(sql, target, "") as Table;
  }
  const [id, hash] = found.columns;
  const other = await mustBeFilled(sql, found);
  if (other !== undefined) {
    throw new ScriptError(
      `Cannot save rows as column '${other}' of table '${table}' must not be null and has no default: name it in --columns`,
    );
  }
  if (numbered && !await holds(sql, id, 1)) {
    throw new ScriptError(
      `Cannot save rows as the ids are line numbers, and column '${id.name}' of table '${table}' of type ${id.keyType} cannot hold those: use another one with --id`,
    );
  }
  if (!await holds(sql, hash, EXAMPLE)) {
    throw new ScriptError(
      `Cannot save rows as column '${hash.name}' of table '${table}' of type ${hash.keyType} cannot hold a hash of ${EXAMPLE.length} characters: use another one with --hash-column`,
    );
  }
  return found;
}

/** `undefined` if there is no such table and no advice for that. */
async function read(sql: Sql, target: Target, ifMissing: string): Promise<Table | undefined> {
  const { table, id, hash, carried } = target;
  try {
    return await readTable(sql, { table, columns: [id, hash, ...carried], target: [id] });
  } catch (error) {
    if (!(error instanceof PostgresWriteError) || !error.code.startsWith("42")) throw error;
    if (error.code !== "42P01") throw new ScriptError(error.message);
    if (ifMissing === "") return undefined;
    throw new ScriptError(error.message + ifMissing);
  }
}

function definition({ table, id, hash, carried }: Target, idType: string): string {
  const columns = [
    `${quote(id)} ${idType} primary key`,
    `${quote(hash)} text not null`,
    ...carried.map((name) => `${quote(name)} text`),
  ];
  const [schema, ...rest] = table.split(".");
  const name = rest.length === 0 ? quote(schema) : `${quote(schema)}.${quote(rest.join("."))}`;
  return `create table if not exists ${name} (${columns.join(", ")})`;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A column that is not ours, and that every new row needs a value for. */
async function mustBeFilled(sql: Sql, { quoted, columns }: Table): Promise<string | undefined> {
  const [column] = await sql`
    select attname from pg_attribute
    where attrelid = ${quoted}::text::regclass and attnum > 0 and not attisdropped
      and attnotnull and not atthasdef and attidentity = ''
      and attname <> all (${textArray(columns.map(({ name }) => name))}::text::text[])
    order by attnum limit 1`;
  return column?.attname;
}

/** Whether a column keeps this value as it is. */
async function holds(sql: Sql, column: Column, value: string | number): Promise<boolean> {
  const { keyType, encode } = column;
  try {
    const [{ same }] = await sql.unsafe(
      `select ($1::text::${keyType})::text = $2::text as same`,
      [encode(value), String(value)],
    );
    return same;
  } catch (error) {
    const { code = "" } = error as { code?: string };
    if (/^(22|42)/.test(code)) return false;
    throw error;
  }
}
