import { PostgresText } from "../../postgres.ts";
import { parseExactJson } from "../input/exact_json.ts";
import { asText } from "../input/row.ts";

/** What a worker needs to know of a row. */
export interface Job {
  readonly id: string | number;
  /** To be hashed. What is there for a function of the user's has none. */
  readonly password?: string;
  /** Values of further columns, by name; without a password, the whole row. */
  readonly carried: Readonly<Record<string, unknown>>;
}

/** Writes a job as JSON. Whole numbers of any size stay what they are, and so does text of CSV. */
export function writeJob({ id, password, carried }: Job): string {
  const csv = Object.values(carried).some((value) => value instanceof PostgresText);
  return JSON.stringify({ id, password, carried, ...csv && { csv } }, (_key, value) => {
    if (value instanceof PostgresText) return value.text;
    return typeof value === "bigint" ? rawJson(String(value)) : value;
  });
}

/** Reads a job; `undefined` if it is none. */
export function readJob(text: string): Job | undefined {
  let value: Partial<Job> & { csv?: unknown };
  try {
    value = parseExactJson(text) ?? {};
  } catch {
    return undefined;
  }
  const { id, password, carried, csv } = value;
  // A row for a function of the user's may be known by its number.
  const isKnown = typeof id === "string" || (typeof id === "number" && password === undefined);
  const isJob = isKnown && (typeof password === "string" || password === undefined) &&
    typeof carried === "object" && carried !== null;
  if (!isJob) return undefined;
  if (csv !== true) return { id, password, carried };
  const values = Object.entries(carried).map(([name, value]) => [name, asText(value)]);
  return { id, password, carried: Object.fromEntries(values) };
}

/** Not in TypeScript's library yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown };
