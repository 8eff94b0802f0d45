/** Longest delay in milliseconds that `setTimeout` keeps; a longer one would fire at once. */
export const MAX_TIMER_DELAY: number = 2 ** 31 - 1;

/** Throws unless `value` is a whole number of at least 1 (or, where it may be, `Infinity`). */
export function assertPositiveInteger(
  intent: string,
  name: string,
  value: number,
  { infinite = false }: { infinite?: boolean } = {},
): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  if (infinite && value === Infinity) return;
  throw new RangeError(
    `Cannot ${intent} as '${name}' must be a positive integer${
      infinite ? " or Infinity" : ""
    }: current value is ${String(value)}`,
  );
}

/** Throws unless `value` is a number of milliseconds, of at least `min`, that a timer can keep. */
export function assertMilliseconds(
  intent: string,
  name: string,
  value: number,
  min = 0,
): void {
  if (
    typeof value === "number" && value >= min && value <= MAX_TIMER_DELAY
  ) return;
  throw new RangeError(
    `Cannot ${intent} as '${name}' must be a number of milliseconds from ${min} to ${MAX_TIMER_DELAY}: current value is ${
      String(value)
    }`,
  );
}

/** Throws unless `value` is a function. */
export function assertFunction(
  intent: string,
  name: string,
  value: unknown,
): void {
  if (typeof value === "function") return;
  throw new TypeError(
    `Cannot ${intent} as '${name}' must be a function: current value is ${describe(value)}`,
  );
}

/** Throws unless `value` is of this type. */
export function assertType(
  intent: string,
  name: string,
  value: unknown,
  type: "boolean" | "object",
): void {
  if (typeof value === type && value !== null) return;
  const wanted = type === "object" ? "an object" : "a boolean";
  throw new TypeError(
    `Cannot ${intent} as '${name}' must be ${wanted}: current value is ${describe(value)}`,
  );
}

/** Throws unless `value` is an `AbortSignal`, of whatever realm, or not given. */
export function assertSignal(intent: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  const { aborted, addEventListener } = value as AbortSignal;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") {
    return value as AbortSignal;
  }
  throw new TypeError(
    `Cannot ${intent} as 'signal' must be an AbortSignal: current value is ${describe(value)}`,
  );
}

/** What kind of value this is, without showing what is in it. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  if (value === undefined) return "undefined";
  return /^[aeiou]/.test(typeof value) ? `an ${typeof value}` : `a ${typeof value}`;
}

/** As `Array.isArray()`, which throws of a proxy that was revoked. */
function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
