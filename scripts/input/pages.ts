import { ScriptError } from "../cli/run.ts";
import { CsvReader, type CsvRecord } from "./csv.ts";
import { type Line, readLines, withoutReturn } from "./lines.ts";
import { parseNdjsonLine } from "./ndjson.ts";
import { type BrokenRow, type InputColumns, type InputRow, makeRow, type Page } from "./row.ts";

export const FORMATS = ["csv", "ndjson", "lines"] as const;

/** How the rows of a file are written. */
export type Format = typeof FORMATS[number];

/** Options of {@linkcode readPages}. */
export interface PagesOptions {
  readonly format: Format;
  readonly columns: InputColumns;
  /** Called with the number of rows that were found in the bytes so far, before they are used. */
  readonly onRows?: (count: number) => void;
}

/** Most rows of a page: as many ids are asked for at once. */
const MAX_ROWS = 500;

/**
 * Reads rows as a stream. Those that came in one chunk of bytes leave together, so that nothing
 * waits for a page to be full where the input is slow.
 *
 * @throws {ScriptError} If a column that is wanted is not in the header of a CSV file.
 */
export async function* readPages(
  chunks: AsyncIterable<Uint8Array>,
  { format, columns, onRows }: PagesOptions,
): AsyncGenerator<Page> {
  const reader = READERS[format](columns);
  let count = 0;
  function* pages(rows: Page): Generator<Page> {
    count += rows.length;
    onRows?.(count);
    for (let i = 0; i < rows.length; i += MAX_ROWS) yield rows.slice(i, i + MAX_ROWS);
  }
  for await (const lines of readLines(chunks)) yield* pages(reader.read(lines));
  yield* pages(reader.end());
}

interface Reader {
  read(lines: readonly Line[]): Page;
  end(): Page;
}

const READERS: Record<Format, (columns: InputColumns) => Reader> = {
  csv: readCsv,
  ndjson: (columns) => eachLine((line) => parseNdjsonLine(line, columns)),
  lines: (columns) => eachLine((line) => parsePlainLine(line, columns)),
};

function eachLine(parse: (line: Line) => InputRow | BrokenRow | undefined): Reader {
  return {
    read: (lines) => lines.map(parse).filter((row) => row !== undefined),
    end: () => [],
  };
}

/** A line is a password, and its number is the id. */
function parsePlainLine({ number, text, reason }: Line, columns: InputColumns) {
  if (reason !== undefined) return { line: number, reason };
  return makeRow(number, { id: number, password: withoutReturn(text), carried: [] }, columns);
}

function readCsv(columns: InputColumns): Reader {
  const reader = new CsvReader();
  let header: Header | undefined;
  function rows(records: readonly (CsvRecord | BrokenRow)[]): Page {
    if (header === undefined && records.length > 0) {
      header = readHeader(records[0], columns);
      records = records.slice(1);
    }
    return records.map((record) => parseCsvRecord(record, header!, columns));
  }
  return { read: (lines) => rows(reader.read(lines)), end: () => rows(reader.end()) };
}

/** Where the wanted columns stand. */
interface Header {
  readonly length: number;
  readonly id: number;
  readonly password: number;
  readonly carried: readonly number[];
}

/** The message names no column that the file has: without a header these were a row's values. */
function readHeader(record: CsvRecord | BrokenRow, columns: InputColumns): Header {
  const why = "Cannot use the input as its first line should name the columns, and";
  if ("reason" in record) throw new ScriptError(`${why} ${record.reason}`);
  const names = record.fields.map((name) => name?.trim());
  function find(name: string, flag: string): number {
    const at = names.indexOf(name);
    if (at === -1) throw new ScriptError(`${why} has no '${name}': see --${flag}`);
    if (names.includes(name, at + 1)) throw new ScriptError(`${why} has '${name}' twice`);
    return at;
  }
  return {
    length: names.length,
    id: find(columns.id, "id"),
    password: find(columns.password, "password"),
    carried: columns.carried.map((name) => find(name, "columns")),
  };
}

function parseCsvRecord(
  record: CsvRecord | BrokenRow,
  header: Header,
  columns: InputColumns,
): InputRow | BrokenRow {
  if ("reason" in record) return record;
  const { line, fields } = record;
  if (fields.length !== header.length) {
    const count = fields.length === 1 ? "1 field" : `${fields.length} fields`;
    return { line, reason: `it has ${count}, and the header ${header.length}` };
  }
  const carried = header.carried.map((at) => fields[at]);
  return makeRow(
    line,
    { id: fields[header.id], password: fields[header.password], carried },
    columns,
  );
}
