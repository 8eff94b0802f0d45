import { ScriptError } from "../cli/run.ts";

/**
 * A result as the text that is saved: JSON, with bytes in base64, and large integers as texts.
 *
 * @param place Which item it is the result of.
 * @throws {ScriptError} If something of it would be lost.
 */
export function savableText(result: unknown, place: string): string {
  try {
    const text = JSON.stringify(result, savable);
    if (text !== undefined) return text;
    throw new TypeError("it is undefined");
  } catch (error) {
    const [why] = String(error instanceof Error ? error.message : error).split("\n");
    throw new ScriptError(`Cannot save the result of ${place} as ${why}`);
  }
}

/** JSON would leave out or change these without a word. */
function savable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(has(`${value}`));
  if (typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(has(`a ${typeof value}`));
  }
  if (value instanceof Uint8Array) return value.toBase64();
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) {
    return [...value as unknown as Iterable<unknown>];
  }
  if (value instanceof Map || value instanceof Set) throw new TypeError(has("a Map or a Set"));
  if (value instanceof ArrayBuffer) throw new TypeError(has("an ArrayBuffer"));
  return value;
}

function has(what: string): string {
  return `it has ${what} in it`;
}
