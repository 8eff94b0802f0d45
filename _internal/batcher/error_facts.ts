import { read } from "../shared/inspect.ts";
import { guardQuestion } from "./guard.ts";

/** What an error says about its items. */
export interface ErrorFacts {
  readonly outcome: "failed" | "unknown";
  readonly retryable: boolean | undefined;
  readonly bisectable: boolean | undefined;
  /** How long the sink asks to wait, in milliseconds. */
  readonly retryAfter: number;
}

/** Reads an error, and never throws, whatever the error is or does. */
export function readError(error: unknown): ErrorFacts {
  const [retryable, bisectable] = ["retryable", "bisectable"].map((name) => read(error, name));
  const retryAfter = read(error, "retryAfter");
  return {
    outcome: read(error, "outcome") === "unknown" ? "unknown" : "failed",
    retryable: typeof retryable === "boolean" ? retryable : undefined,
    bisectable: typeof bisectable === "boolean" ? bisectable : undefined,
    retryAfter: typeof retryAfter === "number" && retryAfter > 0 ? retryAfter : 0,
  };
}

/** Which errors are about single items of a batch. */
export function bisection(
  bisect: boolean | ((error: unknown) => boolean),
): (error: unknown) => boolean {
  if (bisect === false) return () => false;
  if (bisect !== true) return guardQuestion("bisect", bisect);
  return guardQuestion("bisect", (error) => {
    const { bisectable, retryable } = readError(error);
    return bisectable ?? (retryable !== true && !(error instanceof TypeError));
  });
}

/** Whether an error is worth another attempt, unless the user decides. */
export function isRetryableByDefault(error: unknown): boolean {
  const { retryable, bisectable } = readError(error);
  return retryable ?? (bisectable !== true && !(error instanceof TypeError));
}
