import { concat, peek } from "./first_bytes.ts";

/** A line of text, without the line feed at its end; a carriage return is still there. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** What could be read of it. */
  readonly text: string;
  /** Why that is not all. Such a line cannot be used. */
  readonly reason?: string;
}

/** Options of {@linkcode readLines}. */
export interface LinesOptions {
  /** Called where the last line has no line end. */
  readonly onUnended?: () => void;
}

/** Longest line in bytes. What is longer is no line of a text, and does not fit in memory. */
const MAX_BYTES = 2 ** 20;

/** Most bytes that are looked at to find out how lines end. */
const MAX_PEEKED = 2 ** 16;

const LINE_FEED = 10;
const RETURN = 13;
const QUOTE = 34;

/**
 * Cuts bytes into lines; those that came in one chunk leave together. Lines end in a line feed, or,
 * in a text that begins with 64 kB without one, in a carriage return.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  { onUnended }: LinesOptions = {},
): AsyncGenerator<Line[]> {
  const { head, chunks: all } = await peek(
    chunks[Symbol.asyncIterator](),
    (head) => head.length >= MAX_PEEKED || head.includes(LINE_FEED),
  );
  const lineEnd = !head.includes(LINE_FEED) && head.includes(RETURN) ? RETURN : LINE_FEED;
  const cutter = new Cutter(lineEnd);
  for await (const chunk of all) {
    const lines = cutter.cut(chunk);
    if (lines.length > 0) yield lines;
  }
  const last = cutter.end();
  if (last === undefined) return;
  onUnended?.();
  yield [last];
}

/** A line without the carriage return that ends it in files from Windows. */
export function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

class Cutter {
  readonly #strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #lenient = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #lineEnd: number;
  #number = 0;
  /** The beginning of a line whose end has not come yet. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  /** Quotes in it, once it is too long to be kept. */
  #quotes: number | undefined;

  constructor(lineEnd: number) {
    this.#lineEnd = lineEnd;
  }

  cut(chunk: Uint8Array): Line[] {
    const first = chunk.indexOf(this.#lineEnd);
    if (first === -1) {
      this.#keep(chunk);
      return [];
    }
    const last = chunk.lastIndexOf(this.#lineEnd);
    this.#keep(chunk.subarray(0, first));
    const lines = [this.#finish()];
    if (last > first) {
      for (const line of this.#whole(chunk.subarray(first + 1, last))) lines.push(line);
    }
    this.#keep(chunk.subarray(last + 1));
    return lines;
  }

  end(): Line | undefined {
    return this.#openBytes > 0 ? this.#finish() : undefined;
  }

  #keep(bytes: Uint8Array): void {
    this.#openBytes += bytes.length;
    if (this.#openBytes > MAX_BYTES) {
      this.#quotes ??= this.#open.reduce((sum, bytes) => sum + countQuotes(bytes), 0);
      this.#quotes += countQuotes(bytes);
      this.#open = [];
    } else if (bytes.length > 0) this.#open.push(bytes);
  }

  #finish(): Line {
    const [bytes, quotes] = [concat(this.#open), this.#quotes];
    this.#open = [];
    this.#openBytes = 0;
    this.#quotes = undefined;
    if (quotes === undefined) return this.#decode(bytes);
    // Whether a quote is open at its end decides what the lines behind it are.
    const text = '"'.repeat(quotes % 2);
    return { number: ++this.#number, text, reason: `it is longer than ${MAX_BYTES} bytes` };
  }

  /** Lines of which nothing is missing, decoded at once where they can be. */
  #whole(bytes: Uint8Array): Line[] {
    try {
      const texts = this.#strict.decode(bytes).split(String.fromCharCode(this.#lineEnd));
      return texts.map((text) => ({ number: ++this.#number, text }));
    } catch {
      const lines: Line[] = [];
      for (let from = 0, to; from <= bytes.length; from = to + 1) {
        to = bytes.indexOf(this.#lineEnd, from);
        if (to === -1) to = bytes.length;
        lines.push(this.#decode(bytes.subarray(from, to)));
      }
      return lines;
    }
  }

  #decode(bytes: Uint8Array): Line {
    const number = ++this.#number;
    if (number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes = bytes.subarray(3);
    }
    try {
      return { number, text: this.#strict.decode(bytes) };
    } catch {
      return { number, text: this.#lenient.decode(bytes), reason: "it is not valid UTF-8" };
    }
  }
}

function countQuotes(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === QUOTE) count++;
  return count;
}
