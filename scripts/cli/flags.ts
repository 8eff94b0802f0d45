import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "./run.ts";

/** A flag of a command line. */
export interface Flag<T> {
  /** What stands for its value in the help; a flag without is a switch. */
  readonly placeholder?: string;
  /** One line of help. */
  readonly help: string;
  readonly initial: T;
  /** Reads the value, or throws a `UsageError` whose message continues "as --flag …". */
  readonly parse: (text: string) => T;
}

type Flags = Record<string, Flag<unknown>>;
type Values<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** A switch. */
export function toggle(help: string): Flag<boolean> {
  return { help, initial: false, parse: () => true };
}

/** A text, as a file name. */
export function text(placeholder: string, help: string): Flag<string | undefined> {
  return { placeholder, help, initial: undefined, parse: (text) => text };
}

/** A whole number within bounds. */
export function integer<T extends number | undefined>(
  help: string,
  initial: T,
  { placeholder = "N", min = 1, max = Number.MAX_SAFE_INTEGER } = {},
): Flag<T | number> {
  return { placeholder, help, initial, parse: (text) => parseInteger(text, min, max) };
}

/** Values separated by commas, each different. */
export function list<T>(placeholder: string, help: string, initial: readonly T[], {
  parse,
}: { parse: (text: string) => T }): Flag<readonly T[]> {
  return {
    placeholder: `${placeholder}[,${placeholder}…]`,
    help,
    initial,
    parse: (text) => [...new Set(text.split(",").map((part) => parse(part.trim())))],
  };
}

/** Reads a whole number within bounds, or throws as {@linkcode Flag.parse} does. */
export function parseInteger(text: string, min: number, max: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new UsageError(`must be a whole number ${range}: it is '${text}'`);
}

/**
 * Reads a command line. Every flag may stand once, as `--flag value` or `--flag=value`.
 *
 * @throws {UsageError} If a flag is unknown, stands twice, lacks its value or has a wrong one.
 */
export function parseFlags<F extends Flags>(args: readonly string[], flags: F): Values<F> {
  const names = Object.keys(flags);
  const parsed = parseArgs([...args], {
    string: names.filter((name) => flags[name].placeholder !== undefined),
    boolean: names.filter((name) => flags[name].placeholder === undefined),
    collect: names.filter((name) => flags[name].placeholder !== undefined),
    unknown: (arg) => {
      const what = arg.startsWith("-")
        ? `there is no flag '${arg.split("=")[0]}'`
        : "it takes no arguments but flags";
      throw new UsageError(`Cannot run this as ${what}: see --help`);
    },
  }) as Record<string, unknown>;
  const values = names.map((name) => [name, valueOf(name, flags[name], parsed[name])]);
  return Object.fromEntries(values);
}

function valueOf(name: string, flag: Flag<unknown>, given: unknown): unknown {
  if (flag.placeholder === undefined) return given === true;
  const [value, ...more] = (given ?? []) as string[];
  if (value === undefined) return flag.initial;
  try {
    if (more.length > 0) throw new UsageError("stands more than once");
    if (value === "") throw new UsageError("needs a value");
    return flag.parse(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Cannot run this as --${name} ${error.message}`);
  }
}

/** The help that `--help` prints. */
export function helpText(usage: string, flags: Flags): string {
  const rows = Object.entries(flags).map(([name, { placeholder, help, initial }]) => [
    `  --${name}${placeholder === undefined ? "" : ` ${placeholder}`}`,
    help + (initial === undefined || initial === false ? "" : ` (${String(initial)})`),
  ]);
  const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
  return `${usage}\n\n${rows.map(([flag, help]) => flag.padEnd(width) + help).join("\n")}\n`;
}
