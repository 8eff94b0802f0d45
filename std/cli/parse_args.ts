/**
 * A stand-in for `jsr:@std/cli@1/parse-args`, for places where JSR is out of reach. Same names, same
 * signatures, same behaviour; the real package fits in its place unchanged.
 *
 * What differs: a dot in a name means nothing (the real one nests `--a.b`), and `boolean: true` is not
 * taken.
 *
 * @example Usage
 * ```ts
 * import { parseArgs } from "@std/cli/parse-args";
 * import { assertEquals } from "@std/assert";
 *
 * const args = parseArgs(["--cost", "12", "--json"], { string: ["cost"], boolean: ["json"] });
 * assertEquals(args, { _: [], cost: "12", json: true });
 * ```
 *
 * @module
 */

/**
 * What {@linkcode parseArgs} returns: the options by name, and all other arguments in `_`.
 *
 * @typeParam TArgs The options by name.
 * @typeParam TDoubleDash Whether the arguments after `--` are kept apart.
 */
export type Args<
  // deno-lint-ignore no-explicit-any
  TArgs extends Record<string, unknown> = Record<string, any>,
  TDoubleDash extends boolean | undefined = undefined,
> = Flat<
  & TArgs
  & {
    /** The arguments that belong to no option. */
    _: Array<string | number>;
  }
  & (TDoubleDash extends true ? {
      /** The arguments after `--`. */
      "--": Array<string>;
    }
    : unknown)
>;

/**
 * Options of {@linkcode parseArgs}.
 *
 * @typeParam TBooleans The names in `boolean`.
 * @typeParam TStrings The names in `string`.
 * @typeParam TCollectable The names in `collect`.
 * @typeParam TNegatable The names in `negatable`.
 * @typeParam TDefault The type of `default`.
 * @typeParam TAliases The type of `alias`.
 * @typeParam TDoubleDash The type of `--`.
 */
export interface ParseOptions<
  TBooleans extends Names = Names,
  TStrings extends Names = Names,
  TCollectable extends Names = Names,
  TNegatable extends Names = Names,
  TDefault extends Record<string, unknown> | undefined = Record<string, unknown> | undefined,
  TAliases extends Aliases | undefined = Aliases | undefined,
  TDoubleDash extends boolean | undefined = boolean | undefined,
> {
  /**
   * Whether the arguments after `--` go to `"--"` instead of `_`.
   *
   * @default {false}
   */
  "--"?: TDoubleDash;
  /**
   * Further names of an option. The result has its value under every one of them.
   *
   * @default {{}}
   */
  alias?: TAliases;
  /**
   * Names of options that take no value: `true` if given, else `false`.
   *
   * @default {[]}
   */
  boolean?: TBooleans | ReadonlyArray<Extract<TBooleans, string>>;
  /**
   * Values of options that are not given.
   *
   * @default {{}}
   */
  default?: TDefault;
  /**
   * Whether everything after the first argument that is no option goes to `_`.
   *
   * @default {false}
   */
  stopEarly?: boolean;
  /**
   * Names of options whose value stays a string, also if it looks like a number. `""` if the value is
   * missing.
   *
   * @default {[]}
   */
  string?: TStrings | ReadonlyArray<Extract<TStrings, string>>;
  /**
   * Names of options that can be given more than once, whose values come as an array. Of all other
   * options the last one counts.
   *
   * @default {[]}
   */
  collect?: TCollectable | ReadonlyArray<Extract<TCollectable, string>>;
  /**
   * Names of options that `--no-` in front of the name sets to `false`.
   *
   * @default {[]}
   */
  negatable?: TNegatable | ReadonlyArray<Extract<TNegatable, string>>;
  /**
   * Called with each option that is not declared, its name and its value, and with each argument that
   * belongs to no option. What it returns `false` for is left out of the result.
   *
   * @default {() => true}
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** @internal */
type Names = string | undefined;
/** @internal */
type Aliases = Readonly<Record<string, string | readonly string[]>>;
/** @internal One object type instead of an intersection. */
type Flat<T> = { [Key in keyof T]: T[Key] };

/** @internal The options by name: any name with any value, unless some are declared. */
type Values<
  TBooleans extends Names,
  TStrings extends Names,
  TCollectable extends Names,
  TNegatable extends Names,
  TDefaults extends Record<string, unknown> | undefined,
  TAliases extends Aliases | undefined,
> = undefined extends TBooleans & TStrings & TCollectable
  // deno-lint-ignore no-explicit-any
  ? Record<string, any>
  :
    & Record<string, unknown>
    & WithAliases<
      WithDefaults<
        & {
          [Key in Exclude<NonNullable<TBooleans>, TCollectable>]:
            | boolean
            | (string extends Key ? undefined : never);
        }
        & {
          [Key in Exclude<NonNullable<TStrings>, TCollectable>]?:
            | string
            | (Key extends TNegatable ? false : never);
        }
        & {
          [Key in NonNullable<TCollectable>]:
            | Array<Key extends TStrings ? string : Key extends TBooleans ? boolean : unknown>
            | (Key extends TBooleans ? never : Key extends TNegatable ? false : never);
        },
        TDefaults
      >,
      TAliases
    >;

/** @internal An option with a default is always there. */
type WithDefaults<TArgs, TDefaults> = TDefaults extends undefined ? TArgs
  :
    & Omit<TArgs, keyof TDefaults>
    & {
      [Key in keyof TDefaults]: Key extends keyof TArgs ? TDefaults[Key] | NonNullable<TArgs[Key]>
        : unknown;
    };

/** @internal */
type WithAliases<TArgs, TAliases> = {
  [Key in keyof TArgs as Key | AliasesOf<Key, TAliases>]: TArgs[Key];
};

/** @internal */
type AliasesOf<TName, TAliases> = TName extends keyof TAliases
  ? TAliases[TName] extends infer TAlias extends string ? string extends TAlias ? never : TAlias
  : TAliases[TName] extends readonly (infer TAlias extends string)[] ? TAlias
  : never
  : never;

/**
 * Reads the options out of command line arguments.
 *
 * `--name=value`, `--name value`, `-n value`, `-n=value` and `-n5` give an option a value; `--name`
 * and `-n` alone, and `-abc`, which is three options, make it `true`. A value that begins with `-`
 * needs the `=`. A value that looks like a number becomes one, except where `string` has the name.
 * What follows `--` is never read as an option.
 *
 * @example Declared options
 * ```ts
 * import { parseArgs } from "@std/cli/parse-args";
 * import { assertEquals } from "@std/assert";
 *
 * const args = parseArgs(["--cost=10", "--cost=12", "-j", "--mode", "burst", "users.csv"], {
 *   string: ["cost", "mode"],
 *   boolean: ["json", "help"],
 *   collect: ["mode"],
 *   default: { "batch-size": "500" },
 *   alias: { json: "j" },
 * });
 * assertEquals(args.cost, "12");
 * assertEquals(args.mode, ["burst"]);
 * assertEquals(args.json, true);
 * assertEquals(args.help, false);
 * assertEquals(args["batch-size"], "500");
 * assertEquals(args._, ["users.csv"]);
 * ```
 *
 * @example Refusing what is not declared
 * ```ts
 * import { parseArgs } from "@std/cli/parse-args";
 * import { assertEquals } from "@std/assert";
 *
 * const unknown: string[] = [];
 * parseArgs(["--jsn", "--json"], {
 *   boolean: ["json"],
 *   unknown: (arg) => unknown.push(arg),
 * });
 * assertEquals(unknown, ["--jsn"]);
 * ```
 *
 * @typeParam TDoubleDash The type of `--`.
 * @typeParam TBooleans The names in `boolean`.
 * @typeParam TStrings The names in `string`.
 * @typeParam TCollectable The names in `collect`.
 * @typeParam TNegatable The names in `negatable`.
 * @typeParam TDefaults The type of `default`.
 * @typeParam TAliases The type of `alias`.
 * @param args The arguments, as in `Deno.args`.
 * @param options How to read them.
 * @returns The options by name, and the other arguments in `_`.
 */
export function parseArgs<
  TArgs extends Values<TBooleans, TStrings, TCollectable, TNegatable, TDefaults, TAliases>,
  TDoubleDash extends boolean | undefined = undefined,
  TBooleans extends Names = undefined,
  TStrings extends Names = undefined,
  TCollectable extends Names = undefined,
  TNegatable extends Names = undefined,
  TDefaults extends Record<string, unknown> | undefined = undefined,
  const TAliases extends Aliases | undefined = undefined,
>(
  args: string[],
  options: ParseOptions<
    TBooleans,
    TStrings,
    TCollectable,
    TNegatable,
    TDefaults,
    TAliases,
    TDoubleDash
  > = {},
): Args<TArgs, TDoubleDash> {
  const { default: defaults = {}, stopEarly = false, unknown = () => true } = options;
  const aliases = groupAliases(options.alias);
  const withAliases = (names: Names | readonly string[] = []) =>
    new Set([names].flat().flatMap((name) => aliases.get(name) ?? [name]));
  const strings = withAliases(options.string);
  const booleans = withAliases(options.boolean);
  const collected = withAliases(options.collect);
  const negatable = withAliases(options.negatable);
  const declared = new Set([...strings, ...booleans, ...collected, ...aliases.keys()]);
  const found: Record<string, unknown> = {};
  const others: (string | number)[] = [];

  function set(name: string, value: unknown, collect = false) {
    for (const key of aliases.get(name) ?? [name]) {
      const values = found[key];
      if (!collect) found[key] = value;
      else if (Array.isArray(values)) values.push(value);
      else found[key] = [value];
    }
  }

  function add(arg: string, name: string, value: string | boolean, collect = collected.has(name)) {
    if (!declared.has(name) && unknown(arg, name, value) === false) return;
    set(name, strings.has(name) ? value : toNumber(value), collect);
  }

  const end = args.includes("--") ? args.indexOf("--") : args.length;
  for (let i = 0; i < end; i++) {
    const arg = args[i];
    if (!/^-./s.test(arg)) {
      if (unknown(arg) !== false) others.push(strings.has("_") ? arg : toNumber(arg));
      if (!stopEarly) continue;
      others.push(...args.slice(i + 1, end));
      break;
    }

    const isLong = arg.startsWith("--");
    const given = isLong ? [splitLong(arg)] : splitShort(arg);
    const [name, attached] = given.pop()!;
    const absent = (name: string) => strings.has(name) ? "" : true;
    for (const [name] of given) add(arg, name, absent(name));

    const isFlag = booleans.has(name);
    const next = i + 1 < end ? args[i + 1] : "";
    if (attached !== undefined) {
      add(arg, name, isLong && isFlag ? attached !== "false" : attached);
    } else if (name.startsWith("no-") && negatable.has(name.slice(3))) {
      add(arg, name.slice(3), false, false);
    } else if (isFlag ? isBoolean(next) : isValue(next, isLong)) {
      add(arg, name, isFlag ? next === "true" : next);
      i++;
    } else {
      add(arg, name, absent(name));
    }
  }

  for (const [name, value] of Object.entries(defaults)) {
    if (!Object.hasOwn(found, name)) set(name, value);
  }
  for (const name of [...booleans, ...strings]) {
    if (Object.hasOwn(found, name)) continue;
    if (collected.has(name)) found[name] = [];
    else if (booleans.has(name)) found[name] = false;
  }
  const after = args.slice(end + 1);
  const result = options["--"]
    ? { ...found, _: others, "--": after }
    : { ...found, _: [...others, ...after] };
  return result as Args<TArgs, TDoubleDash>;
}

/** All names of each option that has more than one. */
function groupAliases(aliases: Aliases = {}): Map<string, string[]> {
  const groups = Object.entries(aliases).map(([name, others]) => [name, ...[others].flat()]);
  return new Map(groups.flatMap((group) => group.map((name) => [name, group])));
}

type Option = [name: string, value?: string];

/** `--no-name` is an option of that name, but `--no-name=value` gives `name` a value: so does the real one. */
function splitLong(arg: string): Option {
  const [, no = "", name, value] = /^--(no-)?(.+?)(?:=(.*))?$/s.exec(arg)!;
  return value === undefined ? [no + name] : [name, value];
}

/** `-abc` is three options; `-n5`, `-n=5`, `-n-` and `-n./file` are one with its value. */
function splitShort(arg: string): Option[] {
  const options: Option[] = [];
  for (let i = 1; i < arg.length; i++) {
    const value = attachedValue(arg[i], arg.slice(i + 1));
    options.push([arg[i], value]);
    if (value !== undefined) break;
  }
  return options;
}

function attachedValue(letter: string, rest: string): string | undefined {
  if (rest === "-") return rest;
  if (rest === "=") return "";
  if (/[A-Za-z]/.test(letter)) {
    const value = /=(.+)/.exec(rest)?.[1];
    if (value) return value;
    if (/\d\.?$/.test(rest)) return rest;
  }
  return /^\W./s.test(rest) ? rest : undefined;
}

function isBoolean(arg: string): boolean {
  return arg === "true" || arg === "false";
}

/** Whether an option may take an argument as its value. `-`, the standard input, only after `-n`. */
function isValue(arg: string, isLong: boolean): boolean {
  return arg !== "" && !(isLong ? /^-/ : /^--?[^-]/).test(arg);
}

function toNumber<T>(value: T): T | number {
  const isNumber = typeof value === "string" && /\S/.test(value) && Number.isFinite(Number(value));
  return isNumber ? Number(value) : value;
}
