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
import { BENCH } from "./bench/flags.ts";
import { closest } from "./cli/closest.ts";
import { print } from "./cli/print.ts";
import { runProgram } from "./cli/program.ts";
import { called, runScript, UsageError } from "./cli/run.ts";
import { ENQUEUE } from "./enqueue/flags.ts";
import { HASH } from "./hash/plan.ts";
import { RUN } from "./run/plan.ts";
import { SERVE } from "./serve/flags.ts";
import { STATUS } from "./status/flags.ts";
import { WORKER } from "./worker/flags.ts";

const PROGRAMS = [BENCH, RUN, HASH, SERVE, ENQUEUE, WORKER, STATUS];

const HELP = `Runs CPU-bound work on every core and saves the results to PostgreSQL.

Usage: burst PROGRAM [arguments]

${PROGRAMS.map(({ name, description }) => `  ${name.padEnd(9)}${description}`).join("\n")}

Each has a help of its own: burst hash --help
`;

async function burst([name, ...args]: string[]): Promise<void> {
  const program = PROGRAMS.find((one) => one.name === name);
  called.as = "burst $1";
  if (program !== undefined) await runProgram(program, args);
  else await runScript(() => Promise.resolve(help(name)));
}

function help(name: string | undefined): void {
  if (name === "--help" || name === "-h") return print(HELP);
  const meant = name === undefined ? undefined : closest(name, PROGRAMS.map(({ name }) => name));
  const why = name === undefined ? "no program is named" : `there is no program '${name}'`;
  const advice = meant === undefined ? "see burst --help" : `did you mean '${meant}'?`;
  throw new UsageError(`Cannot run this as ${why}: ${advice}`);
}

if (import.meta.main) await burst(Deno.args);
