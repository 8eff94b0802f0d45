import { fstat as fstatWithCallback } from "node:fs";
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { promisify } from "node:util";
import { ScriptError, UsageError } from "../cli/run.ts";

/** Where rows are told of that cannot be used: their lines and reasons, and nothing else of them. */
export interface Rejects extends Disposable {
  write(line: number, reason: string): void;
}

/** Most rows that are told of on the terminal. */
const MAX_TOLD = 10;

/** Tells of the first few rows in words. */
export function tellRejects(say: (text: string) => void): Rejects {
  let count = 0;
  return {
    write(line, reason) {
      if (++count <= MAX_TOLD) say(`Line ${line} is rejected: ${reason}`);
    },
    [Symbol.dispose]() {
      if (count > MAX_TOLD) say(`${count - MAX_TOLD} more are rejected: see --rejects`);
    },
  };
}

/**
 * Writes rows to a file as they come, so that they are there whatever ends the program: as CSV where
 * its name ends so, or else as NDJSON.
 *
 * @throws {ScriptError} If the file cannot be written.
 */
export function openRejects(path: string): Rejects {
  const failed = (error: unknown) =>
    new ScriptError(
      `Cannot write the rejects to '${path}' as ${
        error instanceof Error ? error.message : String(error)
      }`,
    );
  const isCsv = extname(path).toLowerCase() === ".csv";
  const encoder = new TextEncoder();
  let file: Deno.FsFile;
  function write(text: string): void {
    try {
      for (let bytes = encoder.encode(text); bytes.length > 0;) {
        bytes = bytes.subarray(file.writeSync(bytes));
      }
    } catch (error) {
      throw failed(error);
    }
  }
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true });
  } catch (error) {
    throw failed(error);
  }
  if (isCsv) write("line,reason\n");
  return {
    write: (line, reason) =>
      write(
        isCsv
          ? `${line},"${reason.replaceAll('"', '""')}"\n`
          : `${JSON.stringify({ line, reason })}\n`,
      ),
    [Symbol.dispose]: () => file.close(),
  };
}

/**
 * Checks that the rejects would not overwrite the input, under whatever name, and that no reader of a
 * pipe can keep the program waiting.
 *
 * @throws {UsageError} If it would.
 */
export async function checkRejectsPath(rejects: string, input: string): Promise<void> {
  const [a, b] = await Promise.all([
    stat(rejects, { bigint: true }).catch(() => undefined),
    (input === "-" ? fstat(0, { bigint: true }) : stat(input, { bigint: true })).catch(() =>
      undefined
    ),
  ]);
  if (a?.isFIFO() || a?.isSocket()) {
    throw new UsageError("Cannot run this as --rejects names a pipe, which may block: name a file");
  }
  if (a === undefined || b === undefined || !a.isFile() || a.dev !== b.dev || a.ino !== b.ino) {
    return;
  }
  throw new UsageError("Cannot run this as --rejects names the input, which would be overwritten");
}

const fstat = promisify(fstatWithCallback);
