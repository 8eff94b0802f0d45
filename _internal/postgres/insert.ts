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
 * The last parameter is the number of rows. If as many were inserted, the letters are not worked out,
 * and the answer is empty. A trigger may change keys, and then each row is looked at.
 *
 * The rows are inserted in the order of their keys, so that two batches with common keys may wait
 * for each other but never in a circle.
 */
export function upsertStatement(table: Table, conflict: ConflictPlan): string {
  const { columns, target } = table;
  const keys = keyNames(table);
  const inserted = table.mayChangeRows ? "null" : "(select count(*) from saved where did = 'i')";
  // The rows are read from the arrays again for the letters: to keep them for that would cost more.
  return `with saved as (
  insert into ${table.quoted} as new (${names(columns)})
  select ${casts(columns)}
  from (${chosenRows(table, conflict, `(${inputRows(table)}) as input`)}) as chosen order by ${keys}
  ${onConflict(table, conflict)}
  returning ${target.map((column, i) => `new.${column.quoted} as ${keys[i]}`)}, ${
    letter(table, conflict)
  } as did
)
select case when ${inserted} = $${columns.length + 1}::text::bigint then '' else (
  select string_agg(case when place > 1 then 's' else coalesce(saved.did, 'm') end, '' order by ord)
    || case when count(saved.did) filter (where place = 1) < (select count(*) from saved)
      then '!' else '' end
  from (
    select *, row_number() over (partition by ${keys} order by ${byPlace(conflict)}) as place
    from (${inputRows(table, target)}) as input
  ) as input
  left join saved on ${keys.map((key) => `saved.${key} = input.${key}`).join(" and ")}
) end`;
}

/** Tells of each row, with the letter `t`, whether there is a row with its key. */
export function thereStatement(table: Table, conflict: ConflictPlan): string {
  const same = table.target.map(({ quoted }, i) =>
    `there.${quoted} = chosen.${keyNames(table)[i]}`
  );
  return `with ${inputAndChosen(table, conflict)}
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
  return `with ${inputAndChosen(table, conflict)}
select string_agg(case when exists (
  select from ${quoted} as there where ${conditions.join("\n    and ")}
) then 'o' else '-' end, '' order by input.ord)
from input left join chosen using (ord)`;
}

/** Whether its rows show which transaction wrote them. */
export function hasVersions({ kind }: Table): boolean {
  return kind === "table" || kind === "partitioned table";
}

function inputAndChosen(table: Table, conflict: ConflictPlan): string {
  return `input as (${inputRows(table)}), chosen as (${chosenRows(table, conflict, "input")})`;
}

/** The rows, or some of their columns, with the place and the key of each. */
function inputRows({ columns, target }: Table, read = columns): string {
  const keys = target.map((column) =>
    `${cell(columns, column)}::${column.keyType} as ${key(columns, column)}`
  );
  return `select r.*, ${keys} from ${unnest(columns, read, "with ordinality")}`;
}

/** Chooses one of the rows with the same key. */
function chosenRows(table: Table, conflict: ConflictPlan, input: string): string {
  const keys = keyNames(table);
  return `select distinct on (${keys}) * from ${input} order by ${keys}, ${byPlace(conflict)}`;
}

/**
 * Of rows with the same key, the first comes first with `"ignore"` and the last with `"update"`: what
 * is chosen is the same as if they had come one by one.
 */
function byPlace({ update }: ConflictPlan): string {
  return update === undefined ? "ord asc" : "ord desc";
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
function unnest(columns: readonly Column[], read = columns, ordinality = ""): string {
  const arrays = read.map((column, i) => {
    const array = `$${columns.indexOf(column) + 1}::text::${column.arrayType}`;
    return i === 0 ? `case pinned.nulls when 'on' then ${array} end` : array;
  });
  const names = read.map((column) => cell(columns, column));
  if (ordinality) names.push("ord");
  return `${PINNED}, unnest(${arrays}) ${ordinality} as r (${names})`;
}

function cell(columns: readonly Column[], column: Column): string {
  return `c${columns.indexOf(column) + 1}`;
}

function key(columns: readonly Column[], column: Column): string {
  return `k${columns.indexOf(column) + 1}`;
}

function keyNames({ columns, target }: Table): string[] {
  return target.map((column) => key(columns, column));
}

function casts(columns: readonly Column[]): string {
  return columns.map((column) => `${cell(columns, column)}::${column.type}`).join(", ");
}

function names(columns: readonly Column[]): string {
  return columns.map(({ quoted }) => quoted).join(", ");
}
