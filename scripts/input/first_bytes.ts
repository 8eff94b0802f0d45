// deno-lint-ignore-file no-control-regex -- these are the first bytes of files, not of text

/** What is no text, by the bytes with which it begins, and what to do with it. */
const SIGNATURES: readonly (readonly [pattern: RegExp, what: string])[] = [
  [
    /^PK(?:\x03\x04|\x05\x06)/,
    "a ZIP archive, as .xlsx and .ods are: unpack it, or export it as CSV",
  ],
  [/^\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1/, "an old Office file: export it as CSV"],
  [/^\x28\xb5\x2f\xfd/, "packed with zstd: pipe it in with 'zstdcat FILE |' and - for INPUT"],
  [/^\xfd7zXZ/, "packed with xz: pipe it in with 'xzcat FILE |' and - for INPUT"],
  [
    /^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/,
    "packed with bzip2: pipe it in with 'bzcat FILE |' and - for INPUT",
  ],
  [/^\x04\x22\x4d\x18/, "packed with lz4: pipe it in with 'lz4cat FILE |' and - for INPUT"],
  [/^\x1f\x9d/, "packed with compress: pipe it in with 'zcat FILE |' and - for INPUT"],
  [/^7z\xbc\xaf\x27\x1c/, "a 7z archive: unpack it"],
  [/^Rar!\x1a\x07/, "a RAR archive: unpack it"],
  [/^%PDF-/, "a PDF: export the table as CSV"],
  [/^SQLite format 3/, "a SQLite database: export the table as CSV"],
  [/^(?:PAR1|ARROW1|Obj\x01|ORC)/, "a file of columns for analysis: export it as CSV"],
  [/^PGDMP/, "a dump of PostgreSQL: restore it, or export the table as CSV"],
  [/^(?:\xff\xfe\0\0|\0\0\xfe\xff)/, "in UTF-32: save it as UTF-8"],
  [/^\x1f\x8b/, "packed with gzip twice: unpack it once"],
];

export type Charset = "utf-8" | "utf-16le" | "utf-16be";

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** What the content is, where it is no text, as the end of a sentence: "… as it is a PDF". */
export function whyNoText(head: Uint8Array): string | undefined {
  const begin = String.fromCharCode(...head.subarray(0, 16));
  const what = SIGNATURES.find(([pattern]) => pattern.test(begin))?.[1];
  if (what !== undefined) return `it is ${what}`;
  // Text of Western scripts in UTF-16 has a NUL in every other byte.
  const nuls = [0, 0];
  for (let i = 0; i < head.length; i++) if (head[i] === 0) nuls[i % 2]++;
  if (
    charsetOf(head) === "utf-8" && Math.min(...nuls) === 0 &&
    Math.max(...nuls) >= head.length / 4 && head.length >= 4
  ) {
    return "it looks like UTF-16 without a byte order mark: save it as UTF-8";
  }
  return undefined;
}

/** The encoding that a byte order mark tells. */
export function charsetOf(head: Uint8Array): Charset {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  return "utf-8";
}

/** Whether the first bytes tell what the content is. */
function isTelling(head: Uint8Array): boolean {
  return head.length >= 16 || head.includes(10);
}

/** Looks at the first bytes, as many as are needed to know them, and gives all of them back. */
export async function peek(
  chunks: AsyncIterator<Uint8Array>,
  isEnough: (head: Uint8Array) => boolean = isTelling,
): Promise<{ head: Uint8Array; chunks: AsyncGenerator<Uint8Array> }> {
  const read: Uint8Array[] = [];
  let head = new Uint8Array();
  let done = false;
  while (!done && !isEnough(head)) {
    const next = await chunks.next();
    if (next.done) done = true;
    else {
      read.push(next.value);
      head = concat([head, next.value]);
    }
  }
  return {
    head,
    chunks: (async function* () {
      try {
        yield* read;
        if (!done) {
          for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
            yield next.value;
          }
        }
      } finally {
        await chunks.return?.();
      }
    })(),
  };
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
