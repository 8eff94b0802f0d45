import { ScriptError } from "./run.ts";

/**
 * Prints what a script is for to the standard output.
 *
 * @throws {ScriptError} If that cannot be written, as on a full disk.
 */
export function print(text: unknown): void {
  try {
    console.log(text);
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    const why = code === "ENOSPC"
      ? "as there is no space left on its disk"
      : `because of an error: ${message}`;
    throw new ScriptError(`Cannot write to the standard output ${why}`);
  }
}
