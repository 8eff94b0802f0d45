import { closest } from "./closest.ts";
import { alignTerms } from "./columns.ts";
import { called, UsageError } from "./run.ts";
import { NO_TERMINAL } from "./screen.ts";

/** A flag of a command line. */
export interface Flag<T> {
  /** What stands for its value in the help; a flag without is a switch. */
  readonly placeholder?: string;
  /** What the help says of it. */
  readonly help: string;
  readonly initial: T;
  /** Reads the value, or throws a `UsageError` whose message continues "as --flag …". */
  readonly parse: (text: string) => T;
}

/** Flags by their names. */
export type Flags = Record<string, Flag<unknown>>;

/** The values of some flags. */
export type FlagValues<F extends Flags> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A switch. */
export function toggle(help: string): Flag<boolean> {
  return { help, initial: false, parse: () => true };
}

/** A text, as a file name. */
export function text<T extends string | undefined = undefined>(
  placeholder: string,
  help: string,
  initial = undefined as T,
): Flag<T | string> {
  return { placeholder, help, initial, parse: (text) => text };
}

/** One of some words. */
export function choice<T extends string, U extends T | undefined>(
  help: string,
  words: readonly T[],
  initial: U,
): Flag<T | U> {
  return {
    placeholder: words.join("|"),
    help,
    initial,
    parse: (text) => oneOf(text, words),
  };
}

/** Finds a word, or throws as {@linkcode Flag.parse} does. */
export function oneOf<T extends string>(text: string, words: readonly T[]): T {
  const word = words.find((word) => word === text);
  if (word !== undefined) return word;
  const list = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  throw new UsageError(`must be ${list}, not '${text}'${didYouMean(closest(text, words))}`);
}

/** The end of a sentence that refuses a word. */
export function didYouMean(word: string | undefined): string {
  return word === undefined ? "" : `: did you mean '${word}'?`;
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
export function list<T, U = readonly T[]>(placeholder: string, help: string, initial: U, {
  parse,
}: { parse: (text: string) => T }): Flag<readonly T[] | U> {
  return {
    placeholder: `${placeholder}[,${placeholder}…]`,
    help,
    initial,
    parse: (text) => [...new Set(split(text, parse))],
  };
}

/** Values separated by commas, which may be equal. */
export function series<T, U = readonly T[]>(placeholder: string, help: string, initial: U, {
  parse,
}: { parse: (text: string) => T }): Flag<readonly T[] | U> {
  const placeholders = `${placeholder}[,${placeholder}…]`;
  return { placeholder: placeholders, help, initial, parse: (text) => split(text, parse) };
}

function split<T>(text: string, parse: (text: string) => T): T[] {
  return text.split(",").map((part) => parse(part.trim()));
}

/** Reads a whole number within bounds, or throws as {@linkcode Flag.parse} does. */
export function parseInteger(text: string, min: number, max: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new UsageError(`must be a whole number ${range}, not '${text}'`);
}

/** The names of programs as their user has to type them. */
function asCalled(text: string): string {
  if (called.as === undefined) return text;
  return text.replaceAll(/deno run (?:-A )?scripts\/(\w+)\.ts/g, called.as);
}

/** The help that `--help` prints, in lines of 80 characters at most. */
export function helpText(usage: string, flags: Flags): string {
  const terms = Object.entries(flags).map(([name, { placeholder, help, initial }]) =>
    [
      `--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`,
      help + (initial === undefined || initial === false || String(initial) === ""
        ? ""
        : ` (default:\u00a0${String(initial)})`),
    ] as const
  );
  const lines = alignTerms(terms, NO_TERMINAL.columns);
  return `${asCalled(usage)}\n\n${lines.join("\n").replaceAll("\u00a0", " ")}\n`;
}
