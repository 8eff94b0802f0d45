import type { Sql } from "postgres";
import {
  type ColumnDescription,
  describeTable,
  postgresLookup,
  PostgresWriteError,
  postgresWriter,
  type Row,
} from "../../postgres.ts";
import { ScriptError } from "../cli/run.ts";
import { conflictOf, type OnConflict } from "./conflict.ts";

/** The table that takes the hashes, and its columns. */
export interface Target {
  /** `"table"` or `"schema.table"`. */
  readonly table: string;
  readonly id: string;
  readonly hash: string;
  readonly carried: readonly string[];
}

/** The row that is saved. */
export function makeRow(
  target: Target,
  { id, hash, carried }: { id: unknown; hash: string; carried: readonly unknown[] },
): Row {
  const row: Row = { [target.id]: id, [target.hash]: hash };
  for (const [i, name] of target.carried.entries()) row[name] = carried[i];
  return row;
}

/** Why a row is rejected. What a trigger has to say may quote the row. */
export function rejectionReason(error: unknown, hash: unknown): string {
  const { message } = error as Error;
  return typeof hash === "string" ? message.replaceAll(hash, "…") : message;
}

/** Options of {@linkcode prepareTable}. */
export interface PrepareOptions {
  /** Whether a table that is missing is created. */
  readonly create: boolean;
  /** Whether the ids are numbers of lines. */
  readonly numbered: boolean;
  /**
   * What happens to a row whose id is there.
   *
   * @default {"skip"}
   */
  readonly onConflict?: OnConflict;
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
  { create, numbered, onConflict = "skip" }: PrepareOptions,
): Promise<void> {
  const { table, id, hash, carried } = target;
  const ifMissing = create ? "" : ": use --create-table, or check --table";
  if (!await isThere(sql, target, { onConflict, ifMissing })) {
    await createTable(sql, definition(target, numbered ? "bigint" : "text"));
    await isThere(sql, target, { onConflict, ifMissing: "" });
  }
  const { columns } = await describeTable(sql, table);
  checkIdType(columns, target);
  const written = [id, hash, ...carried];
  const other = columns.find(({ name, required }) => required && !written.includes(name));
  if (other !== undefined) {
    throw new ScriptError(
      `Cannot save rows as column '${other.name}' of table '${table}' must not be null and has no default: name it in --columns`,
    );
  }
  const [idColumn, hashColumn] = written.map((name) => columns.find((one) => one.name === name)!);
  if (numbered && !await idColumn.keeps(1)) {
    throw new ScriptError(
      `Cannot save rows as the ids are line numbers, and column '${id}' of table '${table}' of type ${idColumn.type} cannot hold those: use another one with --id`,
    );
  }
  if (!await hashColumn.keeps(EXAMPLE)) {
    throw new ScriptError(
      `Cannot save rows as column '${hash}' of table '${table}' of type ${hashColumn.type} cannot hold a hash of ${EXAMPLE.length} characters: use another one with --hash-column`,
    );
  }
}

/**
 * Refuses a column of ids that rounds: two users would become one, and the second be skipped.
 *
 * @throws {ScriptError} If it rounds.
 */
export function checkIdType(
  columns: readonly Pick<ColumnDescription, "name" | "type">[],
  { table, id }: Pick<Target, "table" | "id">,
): void {
  const type = columns.find(({ name }) => name === id)?.type ?? "";
  // A scale of 0 is what migrations from other databases make of whole numbers.
  if (!/^(real|double precision|numeric\(\d+,(?!0\)).+\))$/.test(type)) return;
  throw new ScriptError(
    `Cannot save rows as column '${id}' of table '${table}' has the type ${type}, which rounds and makes one id of two: name another column with --id, or make it bigint, numeric or text`,
  );
}

/** Whether the table is there, and has all that is needed; `false` only where that needs no advice. */
async function isThere(
  sql: Sql,
  { table, id, hash, carried }: Target,
  { onConflict, ifMissing }: { onConflict: OnConflict; ifMissing: string },
): Promise<boolean> {
  const conflict = conflictOf(id, onConflict);
  try {
    await postgresWriter(sql, { table, columns: [id, hash, ...carried], conflict }).check();
    await postgresLookup(sql, { table, key: id }).check();
    return true;
  } catch (error) {
    if (!isUnfit(error)) throw error;
    if (error.code !== "42P01") throw new ScriptError(error.message);
    if (ifMissing === "") return false;
    throw new ScriptError(error.message + ifMissing);
  }
}

/** Whether an error says that the table is missing, or not as it must be, or that a right is. */
export function isUnfit(error: unknown): error is PostgresWriteError {
  return error instanceof PostgresWriteError && /^(42|0A|55000)/.test(error.code);
}

function definition({ table, id, hash, carried }: Target, idType: string): string {
  const columns = [
    `${quote(id)} ${idType} primary key`,
    `${quote(hash)} text not null`,
    ...carried.map((name) => `${quote(name)} text`),
  ];
  return `${quoteTable(table)} (${columns.join(", ")})`;
}

/** What PostgreSQL says where two create the same table at once, in spite of "if not exists". */
const IS_CREATED = ["23505", "42P07", "42710"];

/** Creates a table, unless it is there or somebody else creates it just now. */
export async function createTable(sql: Sql, definition: string): Promise<void> {
  try {
    await sql.unsafe(`create table if not exists ${definition}`);
  } catch (error) {
    if (!IS_CREATED.includes((error as { code?: string }).code ?? "")) throw error;
  }
}

/** `"table"` or `"schema.table"` in SQL. */
export function quoteTable(table: string): string {
  const [schema, ...rest] = table.split(".");
  return rest.length === 0 ? quote(schema) : `${quote(schema)}.${quote(rest.join("."))}`;
}

/** A name in SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
