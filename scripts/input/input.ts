import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError } from "../cli/run.ts";
import { charsetOf, isGzip, peek, whyNoText } from "./first_bytes.ts";

/** A file, or the standard input, that is read as a stream. */
export interface Input {
  /** What it is called in messages. */
  readonly name: string;
  /** Its size in bytes, as it is stored, where that is known. */
  readonly size: number | undefined;
  /** Bytes read so far, as they are stored. */
  readonly bytesRead: number;
  /**
   * Its content, unpacked, as UTF-8. It ends where the signal is aborted.
   *
   * @throws {ScriptError} If it cannot be read to its end, is no text, or changes meanwhile.
   */
  chunks(signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

/**
 * Opens a file, or with `-` the standard input. What is packed with gzip is unpacked.
 *
 * @throws {ScriptError} If it cannot be read.
 */
export async function openInput(path: string): Promise<Input & AsyncDisposable> {
  const name = path === "-" ? "the standard input" : `'${path}'`;
  const failed = (error: unknown) =>
    error instanceof ScriptError
      ? error
      : new ScriptError(`Cannot read ${name} as ${whyUnusable(error)}`);
  const { stream, size, hasChanged } = await open(path).catch((error) => {
    throw failed(error);
  });
  let bytesRead = 0;

  async function* stored(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const reader = stream.getReader();
    // A read from a terminal or a pipe may be under way, and would keep the program alive.
    const cancel = () => void reader.cancel().catch(() => {});
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        bytesRead += read.value.length;
        yield read.value;
      }
      // Thrown here, it keeps a last line back that may be only the beginning of one.
      if (!signal.aborted && await hasChanged()) {
        throw new ScriptError(
          `Cannot read ${name} to its end as it is still being written: run this again when it is complete`,
        );
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  async function* unpacked(bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { head, chunks } = await peek(bytes);
    if (!isGzip(head)) {
      if (/\.gz$/i.test(path) && head.length > 0) throw new Error("it is not a gzip file");
      yield* chunks;
    } else yield* unpack(chunks);
  }

  return {
    name,
    size,
    get bytesRead() {
      return bytesRead;
    },
    async *chunks(signal) {
      const bytes = stored(signal);
      try {
        const { head, chunks } = await peek(unpacked(bytes));
        const why = whyNoText(head);
        if (why !== undefined) throw new Error(why);
        const charset = charsetOf(head);
        yield* charset === "utf-8" ? chunks : recode(chunks, charset);
      } catch (error) {
        if (!signal.aborted) throw failed(error);
      } finally {
        await bytes.return(undefined);
      }
    },
    async [Symbol.asyncDispose]() {
      // What is being read is closed by its reader
      if (!stream.locked) await stream.cancel();
    },
  };
}

async function open(path: string): Promise<{
  stream: ReadableStream<Uint8Array>;
  size: number | undefined;
  /** Whether the file is another one than when it was opened. */
  hasChanged: () => Promise<boolean>;
}> {
  if (path === "-") {
    return {
      stream: Deno.stdin.readable,
      size: undefined,
      hasChanged: () => Promise.resolve(false),
    };
  }
  const file = await Deno.open(path);
  const before = await file.stat();
  if (before.isDirectory) {
    file.close();
    throw new Deno.errors.IsADirectory();
  }
  return {
    stream: file.readable,
    size: before.isFile ? before.size : undefined,
    async hasChanged() {
      if (!before.isFile) return false;
      const { size, mtime } = await Deno.stat(path);
      return size !== before.size || mtime?.getTime() !== before.mtime?.getTime();
    },
  };
}

/**
 * Not with a `DecompressionStream`: that takes a file of several members, as `cat a.gz b.gz` and
 * parallel packers write it, for a damaged one.
 */
async function* unpack(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packed = Readable.from(bytes, { objectMode: false });
  const gunzip = createGunzip({ chunkSize: 2 ** 16 });
  packed.on("error", (error) => gunzip.destroy(error));
  try {
    yield* packed.pipe(gunzip);
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}

/** Half of a surrogate pair, or half of a character at the end, is refused: it would be a guess. */
async function* recode(
  chunks: AsyncIterable<Uint8Array>,
  charset: string,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(charset, { fatal: true });
  const encoder = new TextEncoder();
  try {
    for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
    const last = encoder.encode(decoder.decode());
    if (last.length > 0) yield last;
  } catch (error) {
    throw error instanceof TypeError
      ? new Error(`it is not valid ${charset.toUpperCase()}`)
      : error;
  }
}

function whyUnusable(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "Z_BUF_ERROR") return "it is cut off: a part of the gzip file is missing";
  if (typeof code === "string" && code.startsWith("Z_")) {
    return "it is a damaged gzip file";
  }
  return whyUnreadable(error);
}
