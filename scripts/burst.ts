/**
 * All programs under one name.
 *
 * ```sh
 * deno install -g -A -n burst jsr:@burst/batcher/burst
 * burst bench
 * burst hash users.csv --data-dir ./data --create-table
 * ```
 *
 * @module
 */
import { closest } from "./cli/closest.ts";
import { print } from "./cli/print.ts";
import { type ProgramName, PROGRAMS, runProgram } from "./cli/program.ts";
import { runScript, UsageError } from "./cli/run.ts";

const NAMES = Object.keys(PROGRAMS) as ProgramName[];

const HELP = `Runs CPU-bound work on every core and saves the results to PostgreSQL.

Usage: burst PROGRAM [arguments]

${NAMES.map((name) => `  ${name.padEnd(9)}${PROGRAMS[name]}`).join("\n")}

Each has a help of its own: burst hash --help
`;

async function burst([name, ...args]: string[]): Promise<void> {
  const known = NAMES.find((one) => one === name);
  if (known !== undefined) await runProgram(known, args);
  else await runScript(() => Promise.resolve(help(name)));
}

function help(name: string | undefined): void {
  if (name === "--help" || name === "-h") return print(HELP);
  const meant = name === undefined ? undefined : closest(name, NAMES);
  const why = name === undefined ? "no program is named" : `there is no program '${name}'`;
  const advice = meant === undefined ? "see burst --help" : `did you mean '${meant}'?`;
  throw new UsageError(`Cannot run this as ${why}: ${advice}`);
}

if (import.meta.main) await burst(Deno.args);
