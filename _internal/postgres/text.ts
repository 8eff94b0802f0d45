import { describe } from "../shared/validate.ts";
import { badValue, type Purpose } from "./errors.ts";

/** The type of a column, as far as it matters for writing a value. */
export interface ValueType {
  /** The name by which errors call it. */
  readonly name: string;
  /** Object identifier in the catalogue, the same in every database for the built-in types. */
  readonly oid: number;
  /** For an array, the type of its elements, and what stands between them. */
  readonly element: (ValueType & { readonly delimiter: string }) | null;
}

/**
 * A value that is written as PostgreSQL reads it: `String()` gives its text. A number or a boolean stays
 * what it is while it can, as {@linkcode arrayText} writes it faster.
 */
export type Cell = string | number | boolean | null;

/** Writes a value, or throws a sentence that continues "as column 'x' …". */
export type Encode = (value: unknown) => Cell;

/**
 * A text that the type of its column reads as it is: `{"role":"admin"}` becomes an object in a column
 * of type jsonb, `{x,y}` an array, `\\x00ff` bytes, `yes` a boolean. So is what CSV files and `COPY`
 * have. A plain string would be a JSON text in jsonb, and is refused where it cannot be meant.
 *
 * @example Usage
 * ```ts
 * import { PostgresText } from "@burst/batcher/postgres";
 *
 * const row = { id: 1, roles: new PostgresText('["admin"]') };
 * console.log(row.roles.text); // ["admin"]
 * ```
 */
export class PostgresText {
  /** The text. */
  readonly text: string;

  /**
   * Constructs a value from its text.
   *
   * @param text The text.
   * @throws {TypeError} If it is not a string.
   */
  constructor(text: string) {
    if (typeof text !== "string") {
      throw new TypeError(
        `Cannot create a text for PostgreSQL as it must be a string: current value is ${
          describe(text)
        }`,
      );
    }
    this.text = text;
  }
}

/** A value that cannot be written; `code` is what the server would have said. */
class Unwritable extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

const WRONG_TYPE = "42804";
const BAD_CHARACTER = "22021";
const OUT_OF_RANGE = "22003";
const TOO_LARGE = "54000";

const SCALARS = new Map<number, (value: unknown) => Cell | undefined>([
  [16, (value) => typeof value === "boolean" ? value : ifString(value)],
  [17, (value) => bytes(value)],
  [20, exact],
  [21, exact],
  [23, exact],
  [1700, exact],
  [114, (value) => json(value)],
  // It keeps texts decoded.
  [3802, (value) => json(value, checkText)],
  [1082, time],
  [1114, time],
  [1184, time],
]);

/**
 * How the values of a column are written.
 *
 * Every value is sent as text, and the server reads it with the type's own input function. The driver
 * does not guess from a JavaScript type or from the first element of an array.
 *
 * @param column The name by which errors call the column.
 */
export function encoderFor(column: string, type: ValueType, purpose: Purpose): Encode {
  const encode = encoder(type);
  return (value) => {
    try {
      return encode(value);
    } catch (error) {
      if (error instanceof RangeError) {
        throw badValue(purpose, TOO_LARGE, `column '${column}' has a value that is too large`);
      }
      if (!(error instanceof Unwritable)) throw error;
      throw badValue(purpose, error.code, `column '${column}' ${error.message}`);
    }
  };
}

function encoder(type: ValueType): Encode {
  const write = type.element === null
    ? SCALARS.get(type.oid) ?? plain
    : arrayWriter(encoder(type.element), type.element);
  return (value) => {
    if (value === null) return null;
    if (value === undefined) throw new Unwritable(WRONG_TYPE, "is undefined: null stands for NULL");
    const cell = value instanceof PostgresText ? value.text : write(value);
    if (cell === undefined) {
      throw new Unwritable(WRONG_TYPE, `of type ${type.name} cannot take ${kind(value)}`);
    }
    if (typeof cell === "string") checkText(cell);
    return cell;
  };
}

function checkText(text: string): void {
  if (text.includes("\0")) {
    throw new Unwritable(
      BAD_CHARACTER,
      "has a NUL character in it, which PostgreSQL cannot store",
    );
  }
  if (!text.isWellFormed()) {
    throw new Unwritable(BAD_CHARACTER, "has half of a surrogate pair in it, which is not text");
  }
}

/**
 * Numbers, text, and whatever else has a text form of its own: uuid, inet, interval, … A number of
 * JSON that was kept as it was written, with `JSON.rawJSON()`, is written so.
 */
function plain(value: unknown): Cell | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      // JSON has no NaN and no Infinity.
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    default:
      return isRawJson(value) ? value.rawJSON : undefined;
  }
}

/** For integers and numeric: what JavaScript has rounded to its neighbour is not what was meant. */
function exact(value: unknown): Cell | undefined {
  if (Number.isSafeInteger(value)) return value as number;
  if (Number.isInteger(value)) {
    throw new Unwritable(
      OUT_OF_RANGE,
      "has a number beyond 2^53, which JavaScript does not hold exactly: give a bigint or a text",
    );
  }
  return plain(value);
}

/** Not in TypeScript's library yet, nor in every runtime. */
const { isRawJSON: isRawJson = (_: unknown): _ is { rawJSON: string } => false } =
  JSON as unknown as { isRawJSON?: (value: unknown) => value is { rawJSON: string } };

function ifString(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function bytes(value: unknown): string | undefined {
  // As PostgreSQL prints them. What else a string may stand for would be a guess.
  if (typeof value === "string") return /^\\x(?:[\da-f]{2})*$/i.test(value) ? value : undefined;
  if (value instanceof ArrayBuffer) return `\\x${hex(new Uint8Array(value))}`;
  if (!ArrayBuffer.isView(value)) return undefined;
  return `\\x${hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Any value that JSON has, a string too, becomes a JSON document; only `null` is SQL's NULL. */
function json(value: unknown, checkText?: (text: string) => void): string {
  try {
    checkJson(value, checkText);
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof Unwritable) throw error;
    throw new Unwritable(WRONG_TYPE, "cannot be written as JSON");
  }
}

/**
 * Refuses what `JSON.stringify()` would write as something else, or not at all. A property that is
 * undefined is left out, as it is where it is read again; and an object may say itself what it is.
 */
function checkJson(value: unknown, checkText: ((text: string) => void) | undefined): void {
  if (typeof value === "string") return checkText?.(value);
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return;
  if (value instanceof Date) return void time(value);
  if (isRawJson(value)) return;
  if (typeof value !== "object") refuseInJson(value);
  if ("toJSON" in value && typeof value.toJSON === "function") {
    checkJson(value.toJSON(""), checkText);
  } else if (Array.isArray(value)) {
    for (const one of value) checkJson(one, checkText);
  } else if (kindOf(value) === "Object") {
    for (const [name, one] of Object.entries(value)) {
      checkText?.(name);
      if (one !== undefined) checkJson(one, checkText);
    }
  } else refuseInJson(value);
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function refuseInJson(value: unknown): never {
  throw new Unwritable(WRONG_TYPE, `has ${jsonKind(value)} in it, which JSON cannot hold`);
}

function jsonKind(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const kind = kindOf(value);
  return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
}

function time(value: unknown): string | undefined {
  if (!(value instanceof Date)) return ifString(value);
  if (Number.isNaN(value.getTime())) throw new Unwritable("22007", "has an invalid date in it");
  return value.toISOString();
}

function arrayWriter(
  encode: Encode,
  { delimiter, oid }: { delimiter: string; oid: number },
): (value: unknown) => string | undefined {
  // An array within a json[] is a JSON document; elsewhere it is a further dimension.
  const nests = oid !== 114 && oid !== 3802;
  return function write(value): string | undefined {
    // As PostgreSQL prints it, perhaps with its bounds before it.
    if (typeof value === "string") {
      return /^(?:\[[\d:[\]-]+\]=)?\{.*\}$/s.test(value) ? value : undefined;
    }
    if (!Array.isArray(value)) return undefined;
    const parts = value.map((element) => {
      if (nests && Array.isArray(element)) return write(element)!;
      return quoteElement(encode(element));
    });
    return `{${parts.join(delimiter)}}`;
  };
}

/** An element of an array as the array's input function reads it. */
function quoteElement(cell: Cell): string {
  return cell === null ? "NULL" : `"${escape(String(cell))}"`;
}

/** Characters that are escaped at once: V8 ends the process where 40 million of them match. */
const ESCAPED_AT_ONCE = 2 ** 16;

function escape(text: string): string {
  let escaped = "";
  for (let i = 0; i < text.length; i += ESCAPED_AT_ONCE) {
    escaped += text.slice(i, i + ESCAPED_AT_ONCE).replace(/["\\]/g, "\\$&");
  }
  return escaped;
}

/** How many characters the cells have, about. */
export function lengthOf(cells: readonly (readonly Cell[])[]): number {
  let length = 0;
  for (const column of cells) {
    for (const cell of column) if (typeof cell === "string") length += cell.length;
  }
  return length;
}

/**
 * A whole column of cells as one array.
 *
 * JSON and PostgreSQL write an array of strings and numbers the same but for the brackets, and `JSON`
 * is the fastest way there. Only control characters are escaped in other ways.
 */
export function arrayText(cells: readonly Cell[]): string {
  // JSON may take six characters for one; more than it can hold come alone.
  const json = cells.length > 1 ? JSON.stringify(cells) : undefined;
  const elements = json === undefined || json.includes("\\") && /\\[^"\\]/.test(json)
    ? cells.map(quoteElement).join()
    : json.slice(1, -1);
  return `{${elements}}`;
}

function kind(value: unknown): string {
  if (value instanceof Date) return "a Date";
  if (Array.isArray(value)) return "an array";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "bytes";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
