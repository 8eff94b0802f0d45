import { CsvReader, type CsvRecord, type CsvText, fieldsOf } from "./csv.ts";
import {
  badHeader,
  chooseDelimiter,
  describeDelimiter,
  type Header,
  readHeader,
} from "./csv_header.ts";
import type { Format } from "./format.ts";
import { JsonReader, parseNdjsonLine } from "./json.ts";
import { type Line, readLines, withoutReturn } from "./lines.ts";
import type { BrokenRow } from "./row.ts";
import type { SourceRow, Wanted } from "./source.ts";

/** Options of {@linkcode readPages}. */
export interface PagesOptions<R> {
  readonly format: Format;
  /** The columns that the header of a CSV file must have. */
  readonly wanted: readonly Wanted[];
  /** What stands between the fields of CSV; without it, the header tells. */
  readonly delimiter?: string | undefined;
  /** Makes of a row what is worked on. */
  readonly makeRow: (row: SourceRow) => R | BrokenRow;
  /** Called with the number of rows that were found in the bytes so far, before they are used. */
  readonly onRows?: (count: number) => void;
  /** Called with a sentence on how the input is read, where that was not plain. */
  readonly onNote?: (sentence: string) => void;
}

/** Most rows of a page: as many ids are asked for at once. */
const MAX_ROWS = 500;

/**
 * Reads rows as a stream. Those that came in one chunk of bytes leave together, so that nothing
 * waits for a page to be full where the input is slow.
 *
 * @throws {ScriptError} If a column that is wanted is not in the header of a CSV file, or a JSON file
 *   is damaged.
 */
export async function* readPages<R>(
  chunks: AsyncIterable<Uint8Array>,
  options: PagesOptions<R>,
): AsyncGenerator<(R | BrokenRow)[]> {
  const { format, makeRow, onRows, onNote } = options;
  const reader = READERS[format](options);
  let count = 0;
  function* pages(rows: readonly (SourceRow | BrokenRow)[]): Generator<(R | BrokenRow)[]> {
    count += rows.length;
    onRows?.(count);
    for (let i = 0; i < rows.length; i += MAX_ROWS) {
      yield rows.slice(i, i + MAX_ROWS).map((row) => "reason" in row ? row : makeRow(row));
    }
  }
  const onUnended = () =>
    onNote?.("The last line of the input has no line end: it is read as it is");
  for await (const lines of readLines(chunks, { onUnended })) yield* pages(reader.read(lines));
  yield* pages(reader.end());
}

interface Reader {
  read(lines: readonly Line[]): readonly (SourceRow | BrokenRow)[];
  end(): readonly (SourceRow | BrokenRow)[];
}

const READERS: Record<Format, (options: PagesOptions<unknown>) => Reader> = {
  csv: readCsv,
  ndjson: () => eachLine(parseNdjsonLine),
  json: () => new JsonReader(),
  lines: () => eachLine(parsePlainLine),
};

function eachLine(parse: (line: Line) => SourceRow | BrokenRow | undefined): Reader {
  return {
    read: (lines) => lines.map(parse).filter((row) => row !== undefined),
    end: () => [],
  };
}

function parsePlainLine({ number, text, reason }: Line): SourceRow | BrokenRow {
  if (reason !== undefined) return { line: number, reason };
  return { line: number, value: { text: withoutReturn(text) } };
}

function readCsv({ wanted, delimiter, onNote }: PagesOptions<unknown>): Reader {
  const reader = new CsvReader();
  reader.delimiter = delimiter;
  let header: Header | undefined;

  function begin([first]: readonly (CsvText | BrokenRow)[]): void {
    if (first === undefined) return;
    if ("reason" in first) throw badHeader(first.reason);
    // Excel's own way to say it.
    const said = /^"?sep=(.)"?$/i.exec(first.text)?.[1];
    if (said !== undefined && reader.delimiter === undefined) {
      reader.delimiter = said;
      return;
    }
    if (reader.delimiter === undefined) {
      reader.delimiter = chooseDelimiter(first.text, wanted);
      if (reader.delimiter !== ",") {
        onNote?.(`The fields of the input are separated by ${describeDelimiter(reader.delimiter)}`);
      }
    }
    header = readHeader(first.text, reader.delimiter, wanted);
  }

  function rows(records: readonly (CsvText | BrokenRow)[]): (SourceRow | BrokenRow)[] {
    return fieldsOf(records, reader.delimiter!).map((record) => parseRecord(record, header!));
  }

  return {
    read(lines) {
      // Line by line until the delimiter is known, by which the others are read.
      let next = 0;
      while (header === undefined && next < lines.length) begin(reader.read([lines[next++]]));
      return header === undefined ? [] : rows(reader.read(next === 0 ? lines : lines.slice(next)));
    },
    end() {
      const records = reader.end();
      if (header === undefined) begin(records);
      // Nothing at all is what a program before a pipe leaves that has failed.
      if (header === undefined) throw badHeader("there is none");
      return rows(records);
    },
  };
}

function parseRecord(record: CsvRecord | BrokenRow, header: Header): SourceRow | BrokenRow {
  if ("reason" in record) return record;
  const { line, lastLine, fields } = record;
  if (fields.length !== header.names.length) {
    const count = fields.length === 1 ? "1 field" : `${fields.length} fields`;
    const lines = lastLine > line ? ` on lines ${line} to ${lastLine}` : "";
    return { line, reason: `it has ${count}${lines}, and the header ${header.names.length}` };
  }
  if (fields.every((field, i) => field === header.names[i])) {
    return { line, reason: "it repeats the header" };
  }
  const value = Object.fromEntries(header.columns.map(([name, at]) => [name, fields[at]]));
  return { line, lastLine, value };
}
