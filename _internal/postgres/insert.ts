import { PINNED } from "./settings.ts";
import type { Column, Table } from "./table.ts";

/** What to do with a row whose key is there already. */
export interface ConflictPlan {
  /** The columns to update; `undefined` if the row in the table stays as it is. */
  readonly update: readonly Column[] | undefined;
}

/** `insert … select … from unnest(…)`: the same statement for every batch size. */
export function insertStatement({ quoted, columns }: Table): string {
  return `insert into ${quoted} (${names(columns)}) select ${casts(columns)} from ${
    unnest(columns)
  }`;
}

/**
 * An upsert that returns what became of each row, as a letter: `i`nserted, `u`pdated, `s`kipped as
 * another row of the batch has its key, or `m`issing among the rows that came back. An exclamation mark
 * follows if some came back with a key that no row has.
 *
 * The rows are inserted in the order of their keys, so that two batches with common keys may wait
 * for each other but never in a circle.
 */
export function upsertStatement(table: Table, conflict: ConflictPlan): string {
  const { columns, target } = table;
  const keys = keyNames(table);
  return `with ${chosenRows(table, conflict)}, saved as (
  insert into ${table.quoted} as new (${names(columns)})
  select ${casts(columns)} from chosen order by ${keys}
  ${onConflict(table, conflict)}
  returning ${target.map((column, i) => `new.${column.quoted} as ${keys[i]}`)}, ${
    letter(table, conflict)
  } as did
)
select string_agg(case when chosen.ord is null then 's' else coalesce(saved.did, 'm') end, ''
    order by input.ord)
  || case when count(saved.did) < (select count(*) from saved) then '!' else '' end
from input left join chosen using (ord)
left join saved on ${keys.map((key) => `saved.${key} = chosen.${key}`).join(" and ")}`;
}

/** Tells of each row, with the letter `t`, whether there is a row with its key. */
export function thereStatement(table: Table, conflict: ConflictPlan): string {
  const same = table.target.map(({ quoted }, i) =>
    `there.${quoted} = chosen.${keyNames(table)[i]}`
  );
  return `with ${chosenRows(table, conflict)}
select string_agg(case when exists (
  select from ${table.quoted} as there where ${same.join(" and ")}
) then 't' else '-' end, '' order by input.ord)
from input left join chosen using (ord)`;
}

/**
 * Tells of each row, with the letter `o`, whether it is there as our own: a row with its key and the
 * same values, written since the transaction that is the last parameter. Without the second, rows
 * that an earlier run has left would do.
 *
 * Values are compared as the column writes them, byte by byte: not every type can be compared.
 */
export function ownRowsStatement(table: Table, conflict: ConflictPlan): string {
  const { columns, target, quoted } = table;
  const same = columns.map((column) =>
    `there.${column.quoted}::text collate "C" is not distinct from (chosen.${
      cell(columns, column)
    }::${column.keyType})::text collate "C"`
  );
  const since = `age(there.xmin) <= age($${columns.length + 1}::text::xid)`;
  // A row version made by an update says nothing about an insert.
  const inserted = conflict.update === undefined ? [] : ["there.xmax = 0"];
  const conditions = [
    ...target.map(({ quoted }, i) => `there.${quoted} = chosen.${keyNames(table)[i]}`),
    ...same,
    ...hasVersions(table) ? [since, ...inserted] : [`$${columns.length + 1}::text is not null`],
  ];
  return `with ${chosenRows(table, conflict)}
select string_agg(case when exists (
  select from ${quoted} as there where ${conditions.join("\n    and ")}
) then 'o' else '-' end, '' order by input.ord)
from input left join chosen using (ord)`;
}

/** Whether its rows show which transaction wrote them. */
export function hasVersions({ kind }: Table): boolean {
  return kind === "table" || kind === "partitioned table";
}

/**
 * Of rows with the same key, chooses the first for `"ignore"` and the last for `"update"`, as if they
 * had come one by one.
 */
function chosenRows(table: Table, { update }: ConflictPlan): string {
  const { columns, target } = table;
  const keys = keyNames(table);
  const keyCasts = target.map((column, i) =>
    `${cell(columns, column)}::${column.keyType} as ${keys[i]}`
  );
  return `input as (
  select ord, ${columns.map((column) => cell(columns, column))}, ${keyCasts}
  from ${unnest(columns, "with ordinality")}
), chosen as (
  select distinct on (${keys}) * from input order by ${keys}, ord ${
    update === undefined ? "asc" : "desc"
  }
)`;
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
function letter({ quoted, kind, target }: Table, { update }: ConflictPlan): string {
  if (update === undefined) return "'i'";
  if (kind === "table") return "case when new.xmax = 0 then 'i' else 'u' end";
  const same = target.map(({ quoted }) => `old.${quoted} = new.${quoted}`).join(" and ");
  return `case when exists (select from ${quoted} as old where ${same}) then 'u' else 'i' end`;
}

/**
 * The arrays as rows. Settings that would change what they mean are set for the transaction; the first
 * array makes sure that this comes first.
 */
function unnest(columns: readonly Column[], ordinality = ""): string {
  const arrays = columns.map((_, i) =>
    i === 0 ? `case pinned.nulls when 'on' then $1::text::text[] end` : `$${i + 1}::text::text[]`
  );
  const names = columns.map((column) => cell(columns, column));
  return `${PINNED}, unnest(${arrays}) ${ordinality} as r (${[
    ...names,
    ...(ordinality ? ["ord"] : []),
  ]})`;
}

function cell(columns: readonly Column[], column: Column): string {
  return `c${columns.indexOf(column) + 1}`;
}

function keyNames({ columns, target }: Table): string[] {
  return target.map((column) => `k${columns.indexOf(column) + 1}`);
}

function casts(columns: readonly Column[]): string {
  return columns.map((column) => `${cell(columns, column)}::${column.type}`).join(", ");
}

function names(columns: readonly Column[]): string {
  return columns.map(({ quoted }) => quoted).join(", ");
}
