/** The value of a property; `undefined` if reading it throws, as a getter or a proxy may. */
export function read(value: unknown, name: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/** Whether it is an error, of any realm. */
export function isError(value: unknown): value is Error {
  if (typeof value !== "object" || value === null) return false;
  try {
    return value instanceof Error || isForeignError(value);
  } catch {
    return false;
  }
}

const isForeignError: (value: unknown) => boolean =
  (Error as { isError?: (value: unknown) => boolean }).isError ??
    ((value) => Object.prototype.toString.call(value) === "[object Error]");

/** Whether it can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || typeof value !== "object" && typeof value !== "function") return false;
  return typeof read(value, "then") === "function";
}

/** What an error says. */
export function messageOf(error: unknown): string {
  try {
    return String(isError(error) ? error.message : error);
  } catch {
    return "it cannot be shown";
  }
}
