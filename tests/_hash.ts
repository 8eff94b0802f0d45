import { assertEquals } from "@std/assert";
import { join } from "node:path";
import type postgres from "postgres";
import { DATABASE, databaseUrl, withSchema } from "./_database.ts";
import { needing } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";

/** What a test of `hash.ts` or `run.ts` works with. */
export interface FileContext {
  sql: postgres.Sql;
  /** Path of a file in the folder, written if there is content for it. */
  file: (name: string, content?: string | Uint8Array) => Promise<string>;
  /** The flags that name the database, and the same with the table. */
  connection: string[];
  flags: string[];
  table: string;
}

/** A test with a schema, a folder and the flags for both. */
export function hashTest(name: string, fn: (context: FileContext) => Promise<void>): void {
  fileTest(`hash.ts ${name}`, ["--cost", "4", "--json"], fn);
}

/** A test of a script that works on a file and takes these flags. */
export function fileTest(
  name: string,
  scriptFlags: readonly string[],
  fn: (context: FileContext) => Promise<void>,
): void {
  const run = (sql: postgres.Sql, schema: string) =>
    withFolder(async (folder) => {
      const table = `${schema}.users`;
      const url = new URL(databaseUrl());
      url.searchParams.set("application_name", schema);
      const connection = ["--database-url", url.href, ...scriptFlags];
      await fn({
        sql,
        table,
        connection,
        flags: [...connection, "--table", table],
        async file(name, content) {
          const path = join(folder, name);
          if (typeof content === "string") await Deno.writeTextFile(path, content);
          else if (content !== undefined) await Deno.writeFile(path, content);
          return path;
        },
      });
    });
  waitingTest({ ...needing(name, DATABASE), fn: () => withSchema(run) });
}

/** The numbers of an account in JSON that are not 0, without those that depend on the machine. */
export function account(stdout: string): Record<string, number> {
  const { version: _, seconds: __, complete: ___, dryRun: ____, ...counts } = JSON.parse(stdout);
  const { read, hashed: _____, computed: ______, copied: _______, ...ended } = counts;
  const sum = Object.values(ended as Record<string, number>).reduce((a, b) => a + b);
  assertEquals(sum, read, "the account does not add up");
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Record<
    string,
    number
  >;
}

export const linesIn = async (path: string) =>
  (await Deno.readTextFile(path)).trimEnd().split("\n");
