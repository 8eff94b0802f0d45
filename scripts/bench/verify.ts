import type { Sql } from "postgres";
import { ScriptError } from "../cli/run.ts";
import type { Mode, Saved } from "./modes.ts";
import type { OpenWork } from "./work.ts";

/** What a run was to save. */
export interface Expected {
  /** How many items there were. */
  readonly count: number;
  /** What was computed, by their numbers. */
  readonly results: readonly string[];
  readonly work: Pick<OpenWork, "findWrong">;
}

/**
 * Checks that a run has saved what it has computed: each result once, and nothing else.
 *
 * @returns How many rows there are: one for each item.
 * @throws {ScriptError} If the run lost, doubled or changed a row, or computed something wrong.
 */
export async function verifyRun(
  { name }: Mode,
  rows: readonly Saved[],
  { count, results, work }: Expected,
): Promise<number> {
  const refuse = (why: string) => new ScriptError(`Cannot trust the mode '${name}' as ${why}`);
  const saved = new Map(rows.map(({ id, result }) => [id, result]));
  const ids = [...Array(count).keys()];
  if (rows.length !== count || !ids.every((id) => saved.has(id))) {
    throw refuse(
      `it saved ${rows.length} rows, ${saved.size} of them different, for ${count} items`,
    );
  }
  const changed = ids.find((id) => saved.get(id) !== results[id]);
  if (changed !== undefined) throw refuse(`row ${changed} does not hold what was computed`);
  const wrong = await work.findWrong(results);
  if (wrong !== undefined) throw refuse(wrong);
  return rows.length;
}

/** What is in the table. */
export async function tableRows(sql: Sql, table: string): Promise<readonly Saved[]> {
  return await sql<Saved[]>`select id, result from ${sql(table)}`;
}

/** What is in the file: a number and a result in each line. */
export async function fileRows(path: string): Promise<readonly Saved[]> {
  const text = await Deno.readTextFile(path);
  return text.split("\n").slice(0, -1).map((line) => {
    const end = line.indexOf(" ");
    return { id: Number(line.slice(0, end)), result: line.slice(end + 1) };
  });
}
