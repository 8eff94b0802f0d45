import type { Sql } from "postgres";
import type { Column, Table } from "./table.ts";
import { PostgresWriteError, withoutValues } from "./errors.ts";
import { textArray } from "./text.ts";
import { nextTurn } from "../shared/event_loop.ts";
import { UnknownOutcomeError } from "../shared/outcome.ts";
import { type Statement, watch } from "./watchdog.ts";

/** What became of a row. */
export type RowOutcome = "inserted" | "updated" | "skipped";

/** Columns to update where the key is there already; `undefined` where the row is to be ignored. */
export interface ConflictPlan {
  readonly update: readonly Column[] | undefined;
}

/** Values as text, one array a column: `cells[column][row]`. */
export type Cells = readonly (readonly (string | null)[])[];

/** Saves rows whose values are written already; one outcome, or one error, per row. */
export type Method = (
  cells: Cells,
  signal: AbortSignal,
) => Promise<readonly (RowOutcome | Error)[]>;

/** Rows in the driver's own bytes, and how many the server counted. */
type Answer = { readonly count: number | null } & readonly Uint8Array[][];

const OUTCOMES: Record<string, RowOutcome> = { i: "inserted", u: "updated", s: "skipped" };

/** One statement of one shape for every batch size: `insert … select … from unnest(…)`. */
export function unnestMethod(sql: Sql, table: Table, conflict: ConflictPlan | undefined): Method {
  const statement = conflict === undefined
    ? `insert into ${table.quoted} (${names(table.columns)}) select ${casts(table.columns)} from ${
      unnest(table.columns)
    }`
    : upsert(table, conflict);
  return async (cells, signal) => {
    const result = await run(sql, statement, cells.map(textArray), signal);
    const size = cells[0].length;
    if (conflict !== undefined) return [...decode(result[0])].map((letter) => OUTCOMES[letter]);
    if (result.count === size) return Array<RowOutcome>(size).fill("inserted");
    throw new UnknownOutcomeError(
      `Cannot tell which of ${size} rows were saved as the server counts ${result.count}: a trigger or rule of table ${table.quoted} changes what is inserted`,
    );
  };
}

/** Many single-row statements at once: pipelined, as the original experiment has it. */
export function rowsMethod(sql: Sql, table: Table, conflict: ConflictPlan | undefined): Method {
  const values = table.columns.map((column, i) => `$${i + 1}::text::${column.type}`);
  const statement =
    `insert into ${table.quoted} as new (${names(table.columns)}) values (${values})` +
    (conflict === undefined
      ? ""
      : `${onConflict(table, conflict)} returning ${letter(table, conflict)}`);

  async function save(row: (string | null)[], signal: AbortSignal): Promise<RowOutcome | Error> {
    try {
      const result = await run(sql, statement, row, signal);
      if (result.count === 0) return "skipped";
      return conflict === undefined ? "inserted" : OUTCOMES[decode(result[0])];
    } catch (error) {
      return error as Error;
    }
  }

  return (cells, signal) => Promise.all(rowsOf(cells).map((row) => save(row, signal)));
}

/** Runs a statement, prepared once per connection, and sees to it that it ends when aborted. */
export async function run(
  sql: Sql,
  statement: string,
  parameters: readonly (string | null)[],
  signal: AbortSignal,
): Promise<Answer> {
  if (signal.aborted) throw new PostgresWriteError("57014", "Cannot save rows that were aborted");
  const query = sql.unsafe(statement, [...parameters], { prepare: true }).raw();
  const release = watch(sql, query as Statement, signal);
  try {
    const result = await query as unknown as Answer;
    // The driver takes the greeting of a new connection for the answer to what the last one lost.
    if (result.count !== null) return result;
    throw new UnknownOutcomeError(
      "Cannot tell whether rows were saved as the connection broke before the answer",
    );
  } catch (error) {
    throw await afterClosing(withoutValues(error));
  } finally {
    release();
  }
}

/**
 * Gives the driver time to notice that a connection is closed whose error it has passed on: a
 * statement that it is given in between is never answered.
 */
async function afterClosing(error: unknown): Promise<unknown> {
  if (!(error instanceof PostgresWriteError) || error.severity === "ERROR") return error;
  await nextTurn();
  return error;
}

/**
 * An upsert that tells what became of each row.
 *
 * Of the rows with the same key, the first is chosen where rows are ignored, and the last where they
 * are updated, as if they had come one by one. They are inserted in the order of their keys, so that
 * two batches with common keys wait for each other and never in a circle.
 */
function upsert(table: Table, conflict: ConflictPlan): string {
  const { columns, target } = table;
  const keys = target.map((column) => `k${columns.indexOf(column) + 1}`);
  const keyCasts = target.map((column, i) =>
    `${cell(columns, column)}::${column.keyType} as ${keys[i]}`
  );
  const last = conflict.update === undefined ? "asc" : "desc";
  return `with input as (
  select ord, ${columns.map((column) => cell(columns, column))}, ${keyCasts}
  from ${unnest(columns, "with ordinality")}
), chosen as (
  select distinct on (${keys}) * from input order by ${keys}, ord ${last}
), saved as (
  insert into ${table.quoted} as new (${names(columns)})
  select ${casts(columns)} from chosen order by ${keys}
  ${onConflict(table, conflict)}
  returning ${target.map((column, i) => `new.${column.quoted} as ${keys[i]}`)}, ${
    letter(table, conflict)
  } as did
)
select string_agg(coalesce(saved.did, 's'), '' order by input.ord)
from input left join chosen using (ord)
left join saved on ${keys.map((key) => `saved.${key} = chosen.${key}`).join(" and ")}`;
}

function onConflict({ target }: Table, { update }: ConflictPlan): string {
  const action = update === undefined
    ? "nothing"
    : `update set ${update.map(({ quoted }) => `${quoted} = excluded.${quoted}`)}`;
  return ` on conflict (${names(target)}) do ${action}`;
}

/**
 * In RETURNING: whether the row is new. A row version that an upsert made has an xmax only where
 * there was a version before it. Only a plain table shows it; elsewhere the row is looked up as it
 * was when the statement began.
 */
function letter({ quoted, plain, target }: Table, { update }: ConflictPlan): string {
  if (update === undefined) return "'i'";
  if (plain) return "case when new.xmax = 0 then 'i' else 'u' end";
  const same = target.map(({ quoted }) => `old.${quoted} = new.${quoted}`).join(" and ");
  return `case when exists (select from ${quoted} as old where ${same}) then 'u' else 'i' end`;
}

function unnest(columns: readonly Column[], ordinality = ""): string {
  const arrays = columns.map((_, i) => `$${i + 1}::text::text[]`);
  const names = columns.map((column) => cell(columns, column));
  return `unnest(${arrays}) ${ordinality} as r (${[...names, ...(ordinality ? ["ord"] : [])]})`;
}

function cell(columns: readonly Column[], column: Column): string {
  return `c${columns.indexOf(column) + 1}`;
}

function casts(columns: readonly Column[]): string {
  return columns.map((column) => `${cell(columns, column)}::${column.type}`).join(", ");
}

function names(columns: readonly Column[]): string {
  return columns.map(({ quoted }) => quoted).join(", ");
}

/** The same values, one array a row. */
export function rowsOf(cells: Cells): (string | null)[][] {
  return cells[0].map((_, row) => cells.map((column) => column[row]));
}

export function decode([cell]: readonly Uint8Array[]): string {
  return new TextDecoder().decode(cell);
}
