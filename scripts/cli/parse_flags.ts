import { parseArgs } from "@std/cli/parse-args";
import { closest } from "./closest.ts";
import { didYouMean, type Flag, type Flags, type FlagValues } from "./flags.ts";
import { UsageError } from "./run.ts";

/**
 * Reads a command line. Every flag may be given once, as `--flag value` or `--flag=value`; `-h` is
 * `--help`.
 *
 * @param operands The names of the arguments that are no flags, in their order. They may be missing.
 * @throws {UsageError} If a flag is unknown, is given twice, lacks its value or has a wrong one, or if
 *   there are more arguments than names for them.
 */
export function parseFlags<F extends Flags, O extends string = never>(
  args: readonly string[],
  flags: F,
  operands: readonly O[] = [],
): FlagValues<F> & Partial<Record<O, string>> {
  const names = Object.keys(flags);
  // As from an empty variable of a shell. It would count as an argument of the script.
  const emptied = args.find((arg, i) => args[i + 1] === "" && flags[arg.slice(2)]?.placeholder);
  if (emptied !== undefined) throw new UsageError(`Cannot run this as ${emptied} needs a value`);
  // A negative number would count as a flag.
  const before = args.findIndex((arg, i) =>
    flags[arg.slice(2)]?.placeholder && /^-\d/.test(args[i + 1] ?? "")
  );
  if (before !== -1) {
    const joined = `${args[before]}=${args[before + 1]}`;
    return parseFlags(args.toSpliced(before, 2, joined), flags, operands);
  }
  const parsed = parseArgs(args.map((arg) => arg === "-h" ? "--help" : arg), {
    string: ["_", ...names.filter((name) => flags[name].placeholder !== undefined)],
    boolean: names.filter((name) => flags[name].placeholder === undefined),
    collect: names.filter((name) => flags[name].placeholder !== undefined),
    unknown: (arg, name) => {
      if (name === undefined) return;
      const flag = arg.split("=")[0];
      const meant = closest(flag.replace(/^-+/, ""), names);
      throw new UsageError(
        `Cannot run this as there is no flag '${flag}'${
          meant === undefined ? ": see --help" : didYouMean(`--${meant}`)
        }`,
      );
    },
  }) as Record<string, unknown>;
  const given = parsed._ as string[];
  if (given.length > operands.length) {
    const taken = operands.length === 0 ? "no arguments" : `${operands.join(", ")} only`;
    throw new UsageError(`Cannot run this as it takes ${taken}, besides flags: see --help`);
  }
  const values = names.map((name) => [name, valueOf(name, flags[name], parsed[name])]);
  return Object.fromEntries([...values, ...given.map((arg, i) => [operands[i], arg])]);
}

function valueOf(name: string, flag: Flag<unknown>, given: unknown): unknown {
  if (flag.placeholder === undefined) return given === true;
  const [value, ...more] = (given ?? []) as string[];
  if (value === undefined) return flag.initial;
  try {
    if (more.length > 0) throw new UsageError("is given more than once");
    if (value === "") throw new UsageError("needs a value");
    return flag.parse(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Cannot run this as --${name} ${error.message}`);
  }
}
