import { ScriptError } from "../cli/run.ts";
import { parseExactJson } from "./exact_json.ts";
import type { Line } from "./lines.ts";
import type { BrokenRow } from "./row.ts";

/** A JSON object, and the line on which it begins. */
export interface JsonRecord {
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Longest object in UTF-16 units. */
const MAX_LENGTH = 2 ** 20;

/** Reads a line of NDJSON: an object. A blank line is no row. */
export function parseNdjsonLine(
  { number, text, reason }: Line,
): JsonRecord | BrokenRow | undefined {
  if (reason !== undefined) return { line: number, reason };
  if (text.trim() === "") return undefined;
  return parseObject(number, text);
}

/**
 * Reads an array of objects, or objects one after the other, over as many lines as they take. Which
 * text makes up an object is found out here, so that each is known by its line; the platform reads
 * it. Behind what is no JSON there is no telling where the next object begins.
 */
export class JsonReader {
  /** The lines of the object that has not ended. */
  #open: string[] = [];
  #length = 0;
  #line = 0;
  #reason: string | undefined;
  #depth = 0;
  #inText = false;
  #escaped = false;
  /** Whether an array is around the objects. The first thing that comes tells. */
  #array: "maybe" | "none" | "open" | "closed" = "maybe";
  #wants: "any" | "object" | "comma" = "any";

  /**
   * Takes lines and returns the objects that end with them.
   *
   * @throws {ScriptError} If it is no JSON.
   */
  read(lines: readonly Line[]): (JsonRecord | BrokenRow)[] {
    const records: (JsonRecord | BrokenRow)[] = [];
    for (const line of lines) this.#scan(line, records);
    return records;
  }

  /** @throws {ScriptError} If something is not closed. */
  end(): (JsonRecord | BrokenRow)[] {
    if (this.#depth > 0) throw refusal(this.#line, "begins an object that is not closed");
    if (this.#array === "open") throw new ScriptError("Cannot go on as the array is not closed");
    return [];
  }

  #scan({ number, text, reason }: Line, records: (JsonRecord | BrokenRow)[]): void {
    if (reason !== undefined) this.#reason ??= reason;
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const letter = text[at];
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (letter === "\\") this.#escaped = true;
        else if (letter === '"') this.#inText = false;
      } else if (letter === '"' && this.#depth > 0) this.#inText = true;
      else if (this.#depth > 0) {
        if (letter === "{" || letter === "[") this.#depth++;
        if (letter !== "}" && letter !== "]") continue;
        if (--this.#depth > 0) continue;
        this.#open.push(text.slice(from, at + 1));
        records.push(this.#take());
      } else if (letter === "{") {
        this.#begin(number);
        this.#reason = reason;
        from = at;
      } else if (!/\s/.test(letter)) this.#punctuate(number, letter);
    }
    if (this.#depth > 0) {
      this.#open.push(text.slice(from));
      this.#length += text.length - from + 1;
      if (this.#length > MAX_LENGTH) {
        throw refusal(this.#line, `begins an object of more than ${MAX_LENGTH} characters`);
      }
    } else if (reason !== undefined) throw refusal(number, `cannot be used: ${reason}`);
  }

  #begin(line: number): void {
    if (this.#wants === "comma" || this.#array === "closed") {
      throw refusal(line, "has an object where none can stand");
    }
    this.#depth = 1;
    this.#line = line;
  }

  #punctuate(line: number, letter: string): void {
    if (letter === "[" && this.#array === "maybe") this.#array = "open";
    else if (letter === "]" && this.#array === "open" && this.#wants !== "object") {
      this.#array = "closed";
      this.#wants = "any";
    } else if (letter === "," && this.#wants === "comma") this.#wants = "object";
    else throw refusal(line, "has something that is neither an object nor an array of objects");
  }

  #take(): JsonRecord | BrokenRow {
    const [text, line, reason] = [this.#open.join("\n"), this.#line, this.#reason];
    this.#open = [];
    this.#length = 0;
    this.#reason = undefined;
    this.#wants = this.#array === "open" ? "comma" : "any";
    if (this.#array === "maybe") this.#array = "none";
    return reason === undefined ? parseObject(line, text) : { line, reason };
  }
}

function refusal(line: number, why: string): ScriptError {
  return new ScriptError(`Cannot go on as it is not valid JSON: line ${line} ${why}`);
}

function parseObject(line: number, text: string): JsonRecord | BrokenRow {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch {
    // The error quotes the text.
    return { line, reason: "it is not valid JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { line, reason: "it is not a JSON object" };
  }
  if (Object.keys(value).length < countMembers(text)) {
    return { line, reason: "it has the same name twice" };
  }
  return { line, value: value as Record<string, unknown> };
}

/** How many members the object has, those included that have the same name. */
export function countMembers(text: string): number {
  let count = 0, depth = 0, inText = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (inText) {
      if (letter === "\\") at++;
      else if (letter === '"') inText = false;
    } else if (letter === '"') inText = true;
    else if (letter === "{" || letter === "[") depth++;
    else if (letter === "}" || letter === "]") depth--;
    else if (letter === ":" && depth === 1) count++;
  }
  return count;
}
