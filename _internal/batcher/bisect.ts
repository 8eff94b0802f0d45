import { assertFunction } from "../shared/validate.ts";

/** Which errors are about single items of a batch. What it returns never throws. */
export function bisection(
  bisect: boolean | ((error: unknown) => boolean),
): (error: unknown) => boolean {
  if (bisect === false) return () => false;
  if (bisect === true) return isBisectableByDefault;
  assertFunction("create a batcher", "bisect", bisect);
  return (error) => {
    try {
      return bisect(error);
    } catch {
      return false;
    }
  };
}

function isBisectableByDefault(error: unknown): boolean {
  const { bisectable, retryable } = (error ?? {}) as { bisectable?: unknown; retryable?: unknown };
  if (typeof bisectable === "boolean") return bisectable;
  return retryable !== true && !(error instanceof TypeError);
}
