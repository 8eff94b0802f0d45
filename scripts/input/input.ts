import { Duplex } from "node:stream";
import { createGunzip } from "node:zlib";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError, UsageError } from "../cli/run.ts";
import { type Format, FORMATS } from "./pages.ts";

/** A file, or the standard input, that is read as a stream. */
export interface Input {
  /** What it is called in messages. */
  readonly name: string;
  /** Its size in bytes, as it is stored, where that is known. */
  readonly size: number | undefined;
  /** Bytes read so far, as they are stored. */
  readonly bytesRead: number;
  /** Its content, unpacked. It ends where the signal is aborted. */
  chunks(signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

const EXTENSIONS = new Map<string, Format>([
  ["csv", "csv"],
  ["ndjson", "ndjson"],
  ["jsonl", "ndjson"],
  ["txt", "lines"],
]);

/**
 * Tells from the name of a file how its rows are written.
 *
 * @throws {UsageError} If the name does not tell.
 */
export function formatOf(path: string): Format {
  const extension = /\.([^./\\]+)(?:\.gz)?$/i.exec(path)?.[1].toLowerCase() ?? "";
  const format = EXTENSIONS.get(extension);
  if (format !== undefined) return format;
  throw new UsageError(
    `Cannot run this as ${
      path === "-" ? "the standard input" : `the name '${path}'`
    } does not tell the format: use --format with one of ${FORMATS.join(", ")}`,
  );
}

/**
 * Opens a file, or with `-` the standard input. One whose name ends in `.gz` is unpacked.
 *
 * @throws {ScriptError} If it cannot be read.
 */
export async function openInput(path: string): Promise<Input> {
  const name = path === "-" ? "the standard input" : `'${path}'`;
  const failed = (error: unknown) =>
    new ScriptError(`Cannot read ${name} as ${whyUnusable(error)}`);
  const { stream, size } = await open(path).catch((error) => {
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
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
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
        yield* isPacked(path) ? unpack(bytes) : bytes;
      } catch (error) {
        if (!signal.aborted) throw failed(error);
      }
    },
  };
}

async function open(
  path: string,
): Promise<{ stream: ReadableStream<Uint8Array>; size: number | undefined }> {
  if (path === "-") return { stream: Deno.stdin.readable, size: undefined };
  const file = await Deno.open(path);
  const { isDirectory, isFile, size } = await file.stat();
  if (isDirectory) {
    file.close();
    throw new Deno.errors.IsADirectory();
  }
  return { stream: file.readable, size: isFile ? size : undefined };
}

function isPacked(path: string): boolean {
  return /\.gz$/i.test(path);
}

/**
 * Not with a `DecompressionStream`: that takes a file of several members, as `cat a.gz b.gz` and
 * parallel packers write it, for a damaged one.
 */
function unpack(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 2 ** 16 });
  return ReadableStream.from(bytes).pipeThrough(Duplex.toWeb(gunzip) as TransformStream);
}

function whyUnusable(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "Z_BUF_ERROR") return "it is cut off: a part of the gzip file is missing";
  if (code === "Z_DATA_ERROR") return "it is not a gzip file, or a damaged one";
  return whyUnreadable(error);
}
