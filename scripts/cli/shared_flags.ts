import type { HashEngine } from "../../hash_pool.ts";
import { choice, type Flag, integer, list, text, toggle } from "./flags.ts";
import type { LogFormat } from "./log.ts";
import { UsageError } from "./run.ts";

const ENGINES: readonly HashEngine[] = ["auto", "lanes", "bcryptjs"];

export const HELP = toggle("print this help");

export const LOG_FORMAT = choice<LogFormat, LogFormat>(
  "how progress, notes and errors are written",
  ["text", "json"],
  "text",
);

export const CREATE_TABLE = toggle("create the table if it is missing");

export const DATA_DIR = text("DIR", "start a PostgreSQL server that keeps its data in this folder");

export const WORKERS = integer("threads that hash", navigator.hardwareConcurrency, { max: 1_000 });

export const REJECTS = text(
  "FILE",
  "write rejected rows to this file, as CSV if it ends in .csv, else as NDJSON",
);

/** The flag `--cost`. */
export function cost(initial: number): Flag<number> {
  return integer("bcrypt cost, 4 to 31; each step doubles the time", initial, {
    placeholder: "C",
    min: 4,
    max: 31,
  });
}

/** The flag `--columns`. */
export function columns(help: string): Flag<readonly string[]> {
  return list<string>("COL", help, [], {
    parse(text) {
      if (text === "") throw new UsageError("must be names separated by commas");
      return text;
    },
  });
}

/** The flag `--engine`. */
export function engine(help: string): Flag<HashEngine> {
  return choice(`${help}; auto is lanes, or bcryptjs where lanes cannot run`, ENGINES, "auto");
}

/** The columns of an input or a table, by the flags that name them. */
export function checkColumns(flags: Readonly<Record<string, string | readonly string[]>>): void {
  const names = Object.values(flags).flat();
  if (new Set(names).size === names.length) return;
  const list = Object.keys(flags).map((flag) => `--${flag}`);
  throw new UsageError(
    `Cannot run this as ${list.slice(0, -1).join(", ")} and ${
      list.at(-1)
    } must name different columns`,
  );
}

/** Refuses to save to two databases. */
export function checkDatabase(
  flags: { readonly "database-url"?: string; readonly "data-dir"?: string },
): void {
  if (flags["database-url"] === undefined || flags["data-dir"] === undefined) return;
  throw new UsageError("Cannot run this with both --database-url and --data-dir: choose one");
}

/** Refuses to go on where there is no database to save to. */
export function requireDatabase(
  flags: { readonly "database-url"?: string; readonly "data-dir"?: string },
): void {
  checkDatabase(flags);
  if (flags["database-url"] ?? flags["data-dir"] ?? Deno.env.get("DATABASE_URL")) return;
  throw new UsageError(
    "Cannot run this without a database: name one with --database-url or DATABASE_URL, or start one with --data-dir",
  );
}
