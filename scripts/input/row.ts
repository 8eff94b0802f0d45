import { checkPassword } from "../../_internal/password/password.ts";

/** A row of the input that can be used, as far as one sees without the database. */
export interface InputRow {
  /** Line of the file on which it begins, counted from 1. */
  readonly line: number;
  readonly id: string | number | bigint;
  /** Emptied as soon as it is hashed. */
  password: string;
  /** Values of the further columns, in the order in which they were asked for. */
  readonly carried: readonly unknown[];
}

/** A row that cannot be used. The reason never quotes it. */
export interface BrokenRow {
  readonly line: number;
  readonly reason: string;
}

/** Rows that were read together. */
export type Page = readonly (InputRow | BrokenRow)[];

/** Which columns of the input are wanted. */
export interface InputColumns {
  readonly id: string;
  readonly password: string;
  readonly carried: readonly string[];
}

/** Checks what the input says of a row. What is missing in it is `undefined`. */
export function makeRow(
  line: number,
  { id, password, carried }: { id: unknown; password: unknown; carried: readonly unknown[] },
  columns: InputColumns,
): InputRow | BrokenRow {
  const broken = (reason: string) => ({ line, reason });
  if (id === undefined || id === null || id === "") return broken("it has no id");
  if (typeof id !== "string" && typeof id !== "number" && typeof id !== "bigint") {
    return broken("its id is neither a text nor a number");
  }
  if (password === undefined || password === null || password === "") {
    return broken("it has no password");
  }
  if (typeof password !== "string") return broken("its password is not a text");
  try {
    checkPassword(password);
  } catch (error) {
    return broken((error as Error).message);
  }
  const missing = carried.indexOf(undefined);
  if (missing !== -1) return broken(`it has no column '${columns.carried[missing]}'`);
  return { line, id, password, carried };
}
