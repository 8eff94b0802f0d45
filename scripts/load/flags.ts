import { integer, text, toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import { cost, HELP, WORKERS } from "../cli/shared_flags.ts";

export const FLAGS = {
  cost: cost(10),
  connections: integer("clients that sign up at the same time", 10),
  duration: integer("length of each measurement", 10, { placeholder: "SECONDS" }),
  workers: WORKERS,
  "database-url": text(
    "URL",
    "PostgreSQL to use, also DATABASE_URL (default: a server of its own); a new table is made in it, and dropped",
  ),
  json: toggle("print JSON instead of tables"),
  help: HELP,
};

const USAGE = `Compares sign-ups per second of scripts/serve.ts with those of the same service
when it hashes on its main thread, and then overloads it.

Usage: deno run -A scripts/load.ts [flags]

Exit code: 0 if the service lost no user, 1 if it did, 2 for wrong usage.

Examples:
  deno run -A scripts/load.ts
  deno run -A scripts/load.ts --cost 12 --connections 50 --duration 30

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read --allow-run
  and --allow-sys --allow-write to start a server of its own`;

export const LOAD: Program = {
  name: "load",
  description: "measures what the pool gains a service",
  usage: USAGE,
  flags: FLAGS,
};
