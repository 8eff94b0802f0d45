import { parse } from "csv-parse/sync";
import { type Line, withoutReturn } from "./lines.ts";
import type { BrokenRow } from "./row.ts";

/** A record of a CSV file. */
export interface CsvRecord {
  /** Line on which it begins. */
  readonly line: number;
  /** Its fields. One that is empty and not quoted is `null`, as PostgreSQL has it. */
  readonly fields: readonly (string | null)[];
}

/** Longest record, in UTF-16 units. */
const MAX_LENGTH = 2 ** 20;

const NOT_CLOSED = "a quote in it is not closed";

/**
 * Reads CSV as RFC 4180 has it, and goes on behind what is broken.
 *
 * The library reads records; which lines make up a record is found out here. Quotes within quotes
 * are doubled, so a record has ended where a line ends and the number of quotes so far is even. That
 * way each record is known by its line, and if a quote is not closed, only the line is given up on
 * which the record begins, instead of all that follows.
 */
export class CsvReader {
  #open: Line[] = [];
  #length = 0;
  #quoted = false;

  /** Takes lines and returns the records that end with them. Blank lines are none. */
  read(lines: readonly Line[]): (CsvRecord | BrokenRow)[] {
    return parseAll(this.#split(lines));
  }

  /** Returns what is left when there are no more lines. */
  end(): (CsvRecord | BrokenRow)[] {
    const records: Unparsed[] = [];
    while (this.#open.length > 0) {
      const [first, ...rest] = this.#take();
      records.push({ line: first.number, reason: first.reason ?? NOT_CLOSED });
      records.push(...this.#split(rest));
    }
    return parseAll(records);
  }

  #split(lines: readonly Line[]): Unparsed[] {
    const records: Unparsed[] = [];
    // A stack, as lines that are read again go before the others.
    const todo = lines.toReversed();
    for (let line = todo.pop(); line !== undefined; line = todo.pop()) {
      this.#open.push(line);
      this.#length += line.text.length;
      this.#quoted = this.#quoted !== hasOddQuotes(line.text);
      if (this.#quoted && this.#length <= MAX_LENGTH) continue;
      const closed = !this.#quoted;
      const open = this.#take();
      const record = closed ? join(open) : undefined;
      if (record === undefined) {
        const [first, ...rest] = open;
        records.push({ line: first.number, reason: first.reason ?? NOT_CLOSED });
        todo.push(...rest.toReversed());
      } else if ("reason" in record || record.text !== "") records.push(record);
    }
    return records;
  }

  #take(): Line[] {
    const open = this.#open;
    this.#open = [];
    this.#length = 0;
    this.#quoted = false;
    return open;
  }
}

type Unparsed = { readonly line: number; readonly text: string } | BrokenRow;

/** The record that these lines make up; `undefined` where its quotes make no sense. */
function join(lines: readonly Line[]): Unparsed | undefined {
  const line = lines[0].number;
  const reason = lines.find(({ reason }) => reason !== undefined)?.reason;
  if (reason !== undefined) return { line, reason };
  const text = withoutReturn(lines.map(({ text }) => text).join("\n"));
  if (lines.length > 1 && parseRecords(text) === undefined) return undefined;
  return { line, text };
}

/** Records are parsed together, which takes a fifth of the time, unless one of them is broken. */
function parseAll(records: readonly Unparsed[]): (CsvRecord | BrokenRow)[] {
  const whole = records.filter((record) => "text" in record);
  const all = parseRecords(whole.map(({ text }) => text).join("\n"));
  let next = 0;
  return records.map((record) => {
    if ("reason" in record) return record;
    const { line, text } = record;
    const fields = all === undefined ? parseRecords(text)?.[0] : all[next++];
    return fields === undefined
      ? { line, reason: "it is no CSV: a quote is in the wrong place" }
      : { line, fields };
  });
}

/** The library's errors quote the text, so they end here. */
function parseRecords(text: string): (string | null)[][] | undefined {
  try {
    return parse(text, {
      cast: (value, { quoting }) => value === "" && !quoting ? null : value,
      recordDelimiter: "\n",
      relaxColumnCount: true,
    });
  } catch {
    return undefined;
  }
}

function hasOddQuotes(text: string): boolean {
  let odd = false;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) odd = !odd;
  return odd;
}
