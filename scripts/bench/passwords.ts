import { type AlgorithmName, checkPassword, randomPassword } from "../../workload.ts";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError } from "../cli/run.ts";

/** Passwords of ten letters, the same in every run. */
export function randomPasswords(count: number): string[] {
  return Array.from({ length: count }, (_, seed) => randomPassword({ seed }));
}

/** Passwords from a file, and the lines that could not be used. */
export interface InputFile {
  readonly passwords: string[];
  /** Never with the text of the line. */
  readonly skipped: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Reads passwords from a file, one a line. A line that cannot be hashed as it is is skipped.
 *
 * @param algorithm What is to hash them.
 * @param count How many passwords at most; lines behind them are not looked at.
 * @throws {ScriptError} If the file cannot be read, or has no password in it.
 */
export async function readPasswords(
  path: string,
  algorithm: AlgorithmName,
  count = Infinity,
): Promise<InputFile> {
  const bytes = await Deno.readFile(path).catch((error) => {
    throw new ScriptError(`Cannot read the passwords in '${path}' as ${whyUnreadable(error)}`);
  });
  const passwords: string[] = [];
  const skipped: { line: number; reason: string }[] = [];
  let line = 0;
  for (const text of lines(bytes)) {
    if (passwords.length >= count) break;
    line++;
    const reason = whyUnusable(text, algorithm);
    if (reason === undefined) passwords.push(text!);
    else skipped.push({ line, reason });
  }
  if (passwords.length === 0) {
    throw new ScriptError(
      `Cannot use the passwords in '${path}' as ${
        line === 0 ? "the file is empty" : `none of its ${line} lines can be hashed`
      }`,
    );
  }
  return { passwords, skipped };
}

/** The lines, without their ends; one that is not valid UTF-8 is `undefined`. */
function* lines(bytes: Uint8Array): Generator<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let from = start, to; from < bytes.length; from = to + 1) {
    to = bytes.indexOf(10, from);
    if (to === -1) to = bytes.length;
    const end = to > from && bytes[to - 1] === 13 ? to - 1 : to;
    try {
      yield decoder.decode(bytes.subarray(from, end));
    } catch {
      yield undefined;
    }
  }
}

function whyUnusable(
  text: string | undefined,
  algorithm: AlgorithmName,
): string | undefined {
  if (text === undefined) return "it is not valid UTF-8";
  if (text === "") return "it is empty";
  try {
    checkPassword(text, { algorithm });
  } catch (error) {
    return (error as Error).message;
  }
}
