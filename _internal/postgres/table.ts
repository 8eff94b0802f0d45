import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import { PostgresWriteError, type Purpose } from "./errors.ts";
import { tryPrepared } from "./prepared.ts";
import { type Encode, encoderFor, type ValueType } from "./text.ts";

/** A column of the table, as statements need it. */
export interface Column {
  readonly name: string;
  /** Quoted by the server. */
  readonly quoted: string;
  /**
   * The type that a value is cast to before it is inserted: the base type of a domain, without a length.
   * A cast to varchar(3) would truncate silently, while the assignment that follows refuses.
   */
  readonly type: string;
  /** The type of the array that brings the values: an array of that type if it reads them the same. */
  readonly arrayType: string;
  /** The type with its length, and its collation: how keys are compared. */
  readonly keyType: string;
  readonly encode: Encode;
}

/** The table, as statements need it. */
export interface Table {
  /** With its schema, quoted by the server. */
  readonly quoted: string;
  readonly kind: "table" | "partitioned table" | "view" | "foreign table";
  /** Whether a row may be kept out or changed on its way, without an error. */
  readonly mayChangeRows: boolean;
  /** Whether somebody kept others from writing when the table was looked up. */
  readonly isLocked: boolean;
  /** The first transaction that had not begun when the table was looked up. */
  readonly since: string;
  /** In the order asked for. */
  readonly columns: readonly Column[];
  /** The columns of the conflict target. */
  readonly target: readonly Column[];
}

/** A column as the catalogue describes it. */
export interface CatalogueColumn {
  readonly name: string;
  readonly quoted: string;
  readonly type: string;
  readonly arrayType: string;
  readonly keyType: string;
  readonly value: ValueType;
  /** Whether it must not be null and has no default. */
  readonly required: boolean;
  /** Why nothing can be inserted into it. */
  readonly readOnly: string | null;
  /** The rights that the user has to it. */
  readonly rights: readonly Right[];
}

type Right = "SELECT" | "INSERT" | "UPDATE";

/** A table as the catalogue describes it. */
export interface CatalogueTable {
  readonly quoted: string;
  readonly kind: Table["kind"];
  readonly mayChangeRows: boolean;
  readonly isLocked: boolean;
  readonly since: string;
  readonly columns: readonly CatalogueColumn[];
  readonly uniqueKeys: readonly UniqueKey[] | null;
}

/** A unique index. */
interface UniqueKey {
  readonly name: string;
  readonly columns: readonly string[];
  /** Why it is of no use for a conflict, as the end of a sentence. */
  readonly problem: string | null;
  /** Whether it keeps a key from being there twice all the same. */
  readonly isUnique: boolean;
}

// One cell of JSON, so that neither the transforms nor the types of the user's connection touch it.
// An array has another reading than a cast from text if the cast has a function of its own (regclass,
// "char"), another delimiter (box), or unnest makes several columns of it (composite types). Arrays have
// no array type.
const CATALOGUE = `
select json_build_object(
  'quoted', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  'kind', case c.relkind when 'r' then 'table' when 'p' then 'partitioned table'
    when 'v' then 'view' else 'foreign table' end,
  'pid', pg_backend_pid(),
  'isLocked', exists (
    select from pg_locks l where l.relation = c.oid and l.mode ~ '^(Share|Exclusive|AccessExclusive)'
      and l.mode <> 'ShareUpdateExclusiveLock'),
  'mayChangeRows', c.relkind in ('v', 'f') or exists (
    select from pg_trigger t
    where t.tgrelid in (select c.oid union select relid from pg_partition_tree(c.oid))
      and t.tgtype & 3 = 3 and t.tgtype & 20 <> 0 and t.tgenabled <> 'D'),
  'since', (txid_snapshot_xmax(txid_current_snapshot()) % 4294967296)::text,
  'columns', (
    select json_agg(json_build_object(
      'name', a.attname,
      'quoted', quote_ident(a.attname),
      'type', format_type(b.oid, -1),
      'arrayType', case when b.typarray = 0 or b.typtype = 'c' or b.typdelim <> ',' or exists (
          select from pg_cast
          where castsource = 'text'::regtype and casttarget = b.oid and castmethod = 'f')
        then 'text[]' else format_type(b.typarray, -1) end,
      'keyType', format_type(b.oid, b.typmod) || case when a.attcollation <> b.typcollation then
        (select ' collate ' || quote_ident(s.nspname) || '.' || quote_ident(l.collname)
         from pg_collation l join pg_namespace s on s.oid = l.collnamespace
         where l.oid = a.attcollation) else '' end,
      'value', json_build_object(
        'name', format_type(a.atttypid, a.atttypmod),
        'oid', b.oid::int8,
        'element', (
          select json_build_object(
            'name', format_type(e.oid, -1), 'oid', e.oid::int8, 'element', null,
            'delimiter', e.typdelim)
          from pg_type e where e.oid = b.typelem and b.typcategory = 'A')),
      'required', a.attnotnull and not a.atthasdef and a.attidentity = '',
      'readOnly', case when a.attgenerated <> '' then 'is generated'
        when a.attidentity = 'a' then 'is an identity column generated always' end,
      'rights', array(
        select name from unnest(array['SELECT', 'INSERT', 'UPDATE']) name
        where has_column_privilege(c.oid, a.attnum, name)))
      order by a.attnum)
    from pg_attribute a
    cross join lateral (
      with recursive base as (
        select t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typcategory,
          t.typarray, t.typdelim, t.typcollation, a.atttypmod as typmod
        from pg_type t where t.oid = a.atttypid
        union all
        select t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typcategory,
          t.typarray, t.typdelim, t.typcollation, base.typtypmod
        from base join pg_type t on t.oid = base.typbasetype where base.typtype = 'd')
      select * from base where typtype <> 'd') b
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'uniqueKeys', (
    select json_agg(json_build_object(
      'name', x.relname,
      'columns', (
        select json_agg(a.attname) from pg_attribute a
        where a.attrelid = c.oid and (a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
          or i.indexprs is not null and exists (
            select from pg_depend d where d.objid = i.indexrelid and d.refobjid = c.oid
              and d.refobjsubid = a.attnum))),
      'problem', case when i.indexprs is not null then 'is on an expression'
        when i.indpred is not null then 'is partial'
        when not i.indisvalid then 'is invalid: REINDEX it'
        when not i.indimmediate then 'is deferrable' end,
      'isUnique', i.indexprs is null and i.indpred is null and i.indisvalid))
    from pg_index i join pg_class x on x.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisunique))::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = $2 and c.relkind in ('r', 'p', 'v', 'f')
  and case when $1 = '' then pg_table_is_visible(c.oid) else n.nspname = $1 end`;

/** Reads from the catalogue what the statements need, and refuses what they could not do. */
export async function readTable(
  sql: Sql,
  { table, columns, target, updated = [], purpose, signal }: {
    table: string;
    columns: readonly string[];
    /** The columns of a unique key, among the others; may be empty. */
    target: readonly string[];
    /** The columns that are updated. */
    updated?: readonly string[];
    purpose: Purpose;
    signal: AbortSignal;
  },
): Promise<Table> {
  const catalogue = await readCatalogue(sql, table, { intent: purpose, signal });
  const found = columns.map((name) => {
    const column = findColumn(catalogue, name, { table, purpose });
    const { quoted, type, arrayType, keyType, value, readOnly } = column;
    if (purpose === "save rows" && readOnly !== null) {
      throw new PostgresWriteError(
        "428C9",
        `Cannot ${purpose} as column '${name}' of table '${table}' ${readOnly}`,
      );
    }
    return { name, quoted, type, arrayType, keyType, encode: encoderFor(name, value, purpose) };
  });
  const needed: [Right, readonly string[]][] = purpose === "save rows"
    ? [["INSERT", columns], ["SELECT", target], ["UPDATE", updated]]
    : [["SELECT", columns]];
  for (const [right, names] of needed) {
    const missing = names.find((name) =>
      !findColumn(catalogue, name, { table, purpose }).rights.includes(right)
    );
    if (missing === undefined) continue;
    throw new PostgresWriteError(
      "42501",
      `Cannot ${purpose} as the user may not ${right} column '${missing}' of table '${table}': grant the right, or use another user`,
    );
  }
  if (target.length > 0) checkTarget(catalogue, target, { table, purpose });
  return {
    quoted: catalogue.quoted,
    kind: catalogue.kind,
    mayChangeRows: catalogue.mayChangeRows,
    isLocked: catalogue.isLocked,
    since: catalogue.since,
    columns: found,
    target: target.map((name) => found[columns.indexOf(name)]),
  };
}

/** Reads a table from the catalogue; `intent` is what its absence prevents. */
export async function readCatalogue(
  sql: Sql,
  table: string,
  { intent, signal }: { intent: string; signal?: AbortSignal },
): Promise<CatalogueTable> {
  const [schema, name] = splitName(table);
  const answer = await ask(sql, CATALOGUE, { intent, parameters: [schema, name], signal });
  if (answer.length > 0) {
    const { pid, ...found } = JSON.parse(cellOf(answer));
    // A pooler gives numbers of its own to backends.
    if (answer.state.pid !== pid) await tryPrepared(sql, { intent, signal });
    return found;
  }
  throw new PostgresWriteError(
    "42P01",
    `Cannot ${intent} as there is no table '${table}'${schema === "" ? " on the search path" : ""}`,
  );
}

/** `"table"` or `"schema.table"`. */
function splitName(table: string): [schema: string, name: string] {
  const dot = table.indexOf(".");
  return dot === -1 ? ["", table] : [table.slice(0, dot), table.slice(dot + 1)];
}

function findColumn(
  { columns }: CatalogueTable,
  name: string,
  { table, purpose }: { table: string; purpose: Purpose },
): CatalogueColumn {
  const column = columns.find((column) => column.name === name);
  if (column !== undefined) return column;
  throw new PostgresWriteError(
    "42703",
    `Cannot ${purpose} as table '${table}' has no column '${name}': it has ${
      columns.map(({ name }) => `'${name}'`).join(", ")
    }`,
  );
}

function checkTarget(
  { uniqueKeys, kind }: CatalogueTable,
  target: readonly string[],
  { table, purpose }: { table: string; purpose: Purpose },
): void {
  // A view passes the conflict on to its table, whose keys are not looked up here.
  if (kind === "view") return;
  const wanted = [...target].sort().join("\0");
  const keys = uniqueKeys?.filter((key) => key.columns?.toSorted().join("\0") === wanted) ?? [];
  const isSaving = purpose === "save rows";
  if (keys.some(({ problem, isUnique }) => isSaving ? problem === null : isUnique)) return;
  const useless = keys.map(({ name, problem }) => `: its unique index '${name}' ${problem}`);
  throw new PostgresWriteError(
    "42P10",
    `Cannot ${purpose} as table '${table}' has no unique constraint on (${target.join(", ")})${
      useless[0] ?? ""
    }`,
  );
}
