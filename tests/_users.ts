import { assert, assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import { verifyPassword } from "../workload.ts";
import { SECRET } from "./fixtures/hash_run.ts";

/** The password of a user. */
export const password = (id: unknown) => `${SECRET}-${id}`;

export const range = (length: number) => Array.from({ length }, (_, i) => i + 1);

/** A file of users with these ids. */
export const csv = (ids: readonly unknown[]) =>
  "id,password\n" + ids.map((id) => `${id},${password(id)}\n`).join("");

/** Fails unless there are rows of exactly these ids, and every sampled hash is that of its password. */
export async function assertSaved(
  sql: Sql,
  ids: readonly unknown[],
  sample = 10,
): Promise<void> {
  const rows = await sql`select id::text, hash from users order by id`;
  assertEquals(new Set(rows.map(({ id }) => id)), new Set(ids.map(String)));
  assertEquals(rows.length, ids.length);
  const step = Math.max(1, Math.floor(rows.length / sample));
  for (let i = 0; i < rows.length; i += step) {
    assert(await verifyPassword(password(rows[i].id), rows[i].hash), `row ${rows[i].id}`);
  }
}

export async function countOf(sql: Sql): Promise<number> {
  const [{ count }] = await sql`select count(*)::int from users`;
  return count;
}

/** Keeps others from writing to the table until it is released. */
export async function lockTable(sql: Sql): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const lock = await sql.reserve();
  await lock`begin`;
  await lock`lock table users in share mode`;
  let released = false;
  const release = async () => {
    if (released) return;
    released = true;
    await lock`commit`;
    lock.release();
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** Whether a burst waits for a lock. */
export async function isLockedOut(sql: Sql, table: string): Promise<boolean> {
  const rows = await sql`select from pg_locks where relation = ${table}::regclass and not granted`;
  return rows.length > 0;
}

/** Breaks the connections of those that wait for a lock, and tells whether there were any. */
export async function endLockedOut(sql: Sql, table: string): Promise<boolean> {
  const rows = await sql`select pg_terminate_backend(pid) from pg_locks
    where relation = ${table}::regclass and not granted`;
  return rows.length > 0;
}
