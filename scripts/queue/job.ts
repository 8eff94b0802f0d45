import { parseExactJson } from "../input/exact_json.ts";

/** What a worker needs to know of a row. */
export interface Job {
  readonly id: string;
  readonly password: string;
  /** Values of further columns, by name. */
  readonly carried: Readonly<Record<string, unknown>>;
}

/** Writes a job as JSON. Whole numbers of any size stay what they are. */
export function writeJob({ id, password, carried }: Job): string {
  return JSON.stringify(
    { id, password, carried },
    (_key, value) => typeof value === "bigint" ? rawJson(String(value)) : value,
  );
}

/** Reads a job; `undefined` if it is none. */
export function readJob(text: string): Job | undefined {
  let value: Partial<Job>;
  try {
    value = parseExactJson(text) ?? {};
  } catch {
    return undefined;
  }
  const { id, password, carried } = value;
  const isJob = typeof id === "string" && typeof password === "string" &&
    typeof carried === "object" && carried !== null;
  return isJob ? { id, password, carried } : undefined;
}

/** Not in TypeScript's library yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown };
