import { describe } from "../shared/validate.ts";

/** Something thrown, in a form that can be sent to another thread whatever it was. */
export type Thrown =
  | { readonly value: unknown }
  /** It cannot be sent: what it was, in words. */
  | { readonly unsent: string }
  | {
    readonly name: string;
    readonly message: string;
    readonly stack: string | undefined;
    readonly cause: Thrown | undefined;
    /** Further properties of the error, such as `code`. */
    readonly properties: readonly (readonly [string, unknown])[];
  };

/** Errors that are rebuilt as what they were. Of others, the name is kept. */
const CLASSES = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** Causes of causes that are brought over: some errors are their own cause. */
const MAX_DEPTH = 8;

/** Packs what was thrown. It trusts nothing: getters may throw, and proxies do anything. */
export function packThrown(thrown: unknown, depth = 0): Thrown {
  try {
    if (!(thrown instanceof Error)) {
      return isCloneable(thrown) ? { value: thrown } : { unsent: name(thrown) };
    }
    const cause = read(thrown, "cause");
    return {
      name: text(read(thrown, "name")) ?? "Error",
      message: text(read(thrown, "message")) ?? "",
      stack: text(read(thrown, "stack")),
      cause: cause === undefined || depth === MAX_DEPTH ? undefined : packThrown(cause, depth + 1),
      properties: Object.keys(thrown)
        .filter((key) => !["name", "message", "stack", "cause"].includes(key))
        .map((key) => [key, read(thrown, key)] as const)
        .filter(([_, value]) => isCloneable(value)),
    };
  } catch {
    return { unsent: "something that cannot be read" };
  }
}

/** The same again, on the other side. */
export function unpackThrown(thrown: Thrown): unknown {
  if ("value" in thrown) return thrown.value;
  if ("unsent" in thrown) return thrown.unsent;
  const { name, message, stack, cause, properties } = thrown;
  const Class = Object.hasOwn(CLASSES, name) ? CLASSES[name as keyof typeof CLASSES] : Error;
  const error = new Class(message, cause === undefined ? {} : { cause: unpackThrown(cause) });
  const further = [...properties, ["stack", stack], ["name", name]] as const;
  for (const [key, value] of further) {
    if (value === undefined || key === "name" && error.name === value) continue;
    const enumerable = key !== "stack" && key !== "name";
    Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
  }
  return error;
}

/** What was thrown, in a few words for the middle of a sentence. */
export function tellThrown(thrown: Thrown): string {
  if ("unsent" in thrown) return thrown.unsent;
  if (!("value" in thrown)) {
    return thrown.message === "" ? thrown.name : `${thrown.name}: ${thrown.message}`;
  }
  const { value } = thrown;
  return typeof value === "string" ? `the text ${JSON.stringify(value)}` : describe(value);
}

function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function name(value: unknown): string {
  return `${describe(value)} that cannot be cloned`;
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
