import { assertFunction } from "./validate.ts";

/** Which errors are about single items of a batch. What it returns never throws. */
export function isolation(
  isolate: boolean | ((error: unknown) => boolean),
): (error: unknown) => boolean {
  if (isolate === false) return () => false;
  if (isolate === true) return isIsolableByDefault;
  assertFunction("create a batcher", "isolate", isolate);
  return (error) => {
    try {
      return isolate(error);
    } catch {
      return false;
    }
  };
}

function isIsolableByDefault(error: unknown): boolean {
  const { isolable, retryable } = (error ?? {}) as { isolable?: unknown; retryable?: unknown };
  if (typeof isolable === "boolean") return isolable;
  return retryable !== true && !(error instanceof TypeError);
}
