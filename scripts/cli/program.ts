import { type Flags, helpText } from "./flags.ts";
import { setLogFormat } from "./log.ts";
import { loadPackages } from "./packages.ts";
import { print } from "./print.ts";
import { called, runScript } from "./run.ts";

/** A program: its help, which needs no package. What it does is in `scripts/NAME/main.ts`. */
export interface Program {
  readonly name: string;
  /** What it does, in a line. */
  readonly description: string;
  readonly usage: string;
  readonly flags: Flags;
  /** Whether it goes on until it is stopped. */
  readonly service?: boolean;
}

/** The rest of a program. */
interface Main {
  main(signal: AbortSignal, args: readonly string[]): Promise<void>;
}

/** Runs a program to its end, and ends with it. */
export async function runProgram(program: Program, args: readonly string[]): Promise<void> {
  // There is no folder `scripts/` where it comes from JSR.
  if (!import.meta.url.startsWith("file:")) called.as = "burst $1";
  await runScript((signal) => runMain(program, signal, args), { service: program.service });
}

/** Does what the command line says. */
export async function runMain(
  program: Program,
  signal: AbortSignal,
  args: readonly string[],
): Promise<void> {
  const { name, usage, flags } = program;
  setLogFormat(args);
  if (args.includes("--help") || args.includes("-h")) return print(helpText(usage, flags));
  // What Deno can read beforehand it downloads before any code of ours runs. So the specifier is
  // computed, and there is somebody to speak.
  const url = new URL(`../${name}/main.ts`, import.meta.url).href;
  const load = (): Promise<Main> => import(url);
  const { main } = await loadPackages(`Cannot start '${name}' as its packages`, load, signal);
  await main(signal, args);
}
