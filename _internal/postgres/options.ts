/** How temporary failures are retried: long enough to restart a server. Times in milliseconds. */
export const RETRY = {
  maxAttempts: Infinity as number,
  minDelay: 100,
  maxDelay: 5_000,
  deadline: 120_000,
};

/** Throws unless these are different names, and at least one. */
export function checkNames(intent: string, option: string, names: readonly string[]): void {
  const fine = Array.isArray(names) && names.length > 0 && new Set(names).size === names.length &&
    names.every((name) => typeof name === "string" && name !== "");
  if (!fine) throw new TypeError(`Cannot ${intent} as '${option}' must be different names`);
}

/** Throws unless this is a name. */
export function checkName(intent: string, option: string, name: string): void {
  if (typeof name === "string" && name !== "") return;
  throw new TypeError(`Cannot ${intent} as '${option}' must be a name`);
}
