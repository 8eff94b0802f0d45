import { describe } from "../shared/validate.ts";
import type { ThreadData } from "./protocol.ts";

/** The user's module, ready to compute. */
export interface LoadedWork {
  /** Most tasks that are computed at once; 1 where the module has no `many()`. */
  readonly atOnce: number;
  readonly isMany: boolean;
  /** Tasks that are computed at once must be of one kind. */
  readonly kindOf: ((task: unknown) => unknown) | undefined;
  /**
   * Computes one task, or with `many()` several. Returns the result, or an array of as many; throws if
   * there is none for any of them.
   */
  compute(tasks: unknown): unknown;
  readonly transfer: ((result: unknown) => Iterable<Transferable>) | undefined;
  readonly teardown: (() => unknown) | undefined;
}

/** A module that has not what is needed. Its message ends "as …". */
export class UnusableWork extends Error {}

/** Imports the module, checks what it exports, and has it set itself up. */
export async function loadWork(
  { module, export: name, data }: Pick<ThreadData, "module" | "export" | "data">,
): Promise<LoadedWork> {
  const exports: Record<string, unknown> = await import(module);
  const work = fn(exports, name);
  const many = name === "default" ? fn(exports, "many") : undefined;
  if (many === undefined && work === undefined) {
    const others = Object.keys(exports).filter((key) => exports[key] !== undefined)
      .map((key) => `'${key}'`).join(", ");
    throw new UnusableWork(
      `the module has no export '${name}'${others === "" ? "" : `, but ${others}`}`,
    );
  }
  const compute = many === undefined ? oneOf(work!) : manyOf(many);
  const kindOf = many === undefined ? undefined : fn(exports, "kindOf");
  const transfer = fn(exports, "transfer") as LoadedWork["transfer"];
  const teardown = fn(exports, "teardown");
  await fn(exports, "setup")?.(data);
  const isMany = many !== undefined;
  const atOnce = isMany ? exports.atOnce ?? Infinity : 1;
  if (!(atOnce === Infinity || Number.isSafeInteger(atOnce) && atOnce as number >= 1)) {
    throw new UnusableWork(
      `the export 'atOnce' of the module must be a positive integer: current value is ${
        describe(atOnce)
      }`,
    );
  }
  return { isMany, atOnce: atOnce as number, kindOf, compute, transfer, teardown };
}

type Fn = (...args: unknown[]) => unknown;

function fn(exports: Record<string, unknown>, name: string): Fn | undefined {
  const value = exports[name];
  if (value === undefined) return undefined;
  if (typeof value === "function" && !/^class\b/.test(String(value))) return value as Fn;
  const current = typeof value === "function" ? "a class" : describe(value);
  throw new UnusableWork(
    `the export '${name}' of the module must be a function: current value is ${current}`,
  );
}

function oneOf(work: Fn): LoadedWork["compute"] {
  const call = apart(work);
  return (task) => {
    const result = call(task);
    return isThenable(result) ? Promise.resolve(result) : result;
  };
}

function manyOf(many: Fn): LoadedWork["compute"] {
  const call = apart(many);
  return (tasks) => {
    const { length } = tasks as readonly unknown[];
    const results = call(tasks);
    if (!isThenable(results)) return checked(results, length);
    return Promise.resolve(results).then((values) => checked(values, length));
  };
}

/**
 * The same function, which V8 does not inline where it is called, as it is a proxy without traps. A
 * loop of 10 µs that was inlined in the code of the thread took 60 µs in Node 22, and 20 µs in Deno 2.9.
 */
function apart(work: Fn): Fn {
  return new Proxy(work, {});
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<unknown>).then === "function";
}

function checked(results: unknown, length: number): readonly unknown[] {
  if (Array.isArray(results) && results.length === length) return results;
  throw new TypeError(
    `many() must return an array of ${length} results: current value is ${describe(results)}`,
  );
}
