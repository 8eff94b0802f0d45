import type { Sql } from "postgres";
import { ask, cellOf } from "./ask.ts";
import type { Statement } from "./statement.ts";

/** Of each instance, by its options, the prepared statements that have not ended. */
const UNDER_WAY = new WeakMap<object, Set<Promise<void>>>();

/** Has an instance go on without prepared statements: the driver asks for this with every one. */
export function goOnUnprepared({ options }: Sql): void {
  if (!options.prepare) return;
  options.prepare = false;
  console.warn(
    "The pooler before the database does not know prepared statements: going on without them",
  );
}

/**
 * Tries whether a pooler knows prepared statements. PgBouncer does since 1.21, and gives them names of
 * its own. Others pass them on, and may lose them.
 */
export async function tryPrepared(
  sql: Sql,
  { intent, signal }: { intent: string; signal?: AbortSignal },
): Promise<void> {
  if (!sql.options.prepare) return;
  const question = "select json_agg(name)::text from pg_prepared_statements where $1::text = ''";
  const answer = await ask(sql, question, { intent, signal, parameters: [""], prepare: true });
  if (JSON.parse(cellOf(answer)).includes(answer.statement.name)) goOnUnprepared(sql);
}

/**
 * Notes a statement, so that others can wait for it. One that is not prepared must not follow those
 * that are on the same connection: PgBouncer would part its beginning from its end.
 */
export function notePrepared({ options }: Sql, { ended }: Statement): void {
  if (!options.prepare) return;
  const underWay = UNDER_WAY.get(options) ?? new Set();
  UNDER_WAY.set(options, underWay.add(ended));
  void ended.then(() => underWay.delete(ended));
}

/** Resolves once no prepared statement is under way where there are to be none. */
export async function withoutPrepared({ options }: Sql): Promise<void> {
  if (!options.prepare) await Promise.all(UNDER_WAY.get(options) ?? []);
}
