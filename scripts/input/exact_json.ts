/** Not in TypeScript's library yet. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => unknown;
  isRawJSON: (value: unknown) => value is { rawJSON: string };
};

/**
 * Reads JSON whose numbers travel as they were written: a number that JavaScript would change is a
 * `JSON.rawJSON` of its digits. The nearest one may be somebody else's id.
 *
 * @throws {SyntaxError} If it is no JSON; the message may quote it.
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, asWritten as (key: string, value: unknown) => unknown);
}

function asWritten(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  return rawJSON(source);
}

/** The digits of a number that `parseExactJson` has kept. */
export function digitsOf(value: unknown): string | undefined {
  return isRawJSON(value) ? value.rawJSON : undefined;
}
