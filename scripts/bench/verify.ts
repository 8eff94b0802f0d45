import type { Sql } from "postgres";
import { verifyPassword } from "../../workload.ts";
import { ScriptError } from "../cli/run.ts";
import type { Mode, Saved } from "./modes.ts";

/** Hashes of each run that are verified. */
const SAMPLE = 3;

/**
 * Counts what a run has saved, and verifies some of the hashes.
 *
 * @returns How many rows there are: one for each password.
 * @throws {ScriptError} If the run lost or doubled a row, or a hash is not that of its password.
 */
export async function verifyRun(
  { name }: Mode,
  rows: readonly Saved[],
  passwords: readonly string[],
): Promise<number> {
  const hashes = new Map(rows.map(({ id, hash }) => [id, hash]));
  const missing = passwords.findIndex((_, id) => !hashes.has(id));
  if (rows.length !== passwords.length || missing !== -1) {
    throw new ScriptError(
      `Cannot trust the mode '${name}' as it saved ${rows.length} rows, ${hashes.size} of them different, for ${passwords.length} passwords`,
    );
  }
  const step = Math.max(1, Math.floor(passwords.length / SAMPLE));
  for (let id = 0, n = 0; id < passwords.length && n < SAMPLE; id += step, n++) {
    if (await isHashOf(passwords[id], hashes.get(id)!)) continue;
    throw new ScriptError(
      `Cannot trust the mode '${name}' as row ${id} does not hold the hash of its password`,
    );
  }
  return rows.length;
}

async function isHashOf(password: string, hash: string): Promise<boolean> {
  // What is no hash at all, is not that of the password either.
  return await verifyPassword(password, hash).catch(() => false);
}

/** What is in the table. */
export async function tableRows(sql: Sql, table: string): Promise<readonly Saved[]> {
  return await sql<Saved[]>`select id, hash from ${sql(table)}`;
}

/** What is in the file: a number and a hash in each line. */
export async function fileRows(path: string): Promise<readonly Saved[]> {
  const text = await Deno.readTextFile(path);
  return text.split("\n").slice(0, -1).map((line) => {
    const [id, hash] = line.split(" ");
    return { id: Number(id), hash };
  });
}
