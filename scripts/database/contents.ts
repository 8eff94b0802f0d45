import { join } from "node:path";

/** Of each file, by its path in the folder: its size, when it was written, and its SHA-256. */
type Contents = Record<string, [size: number, time: number, sha256: string]>;

const RECORD = "contents.json";

/** Writes down what a folder holds, for {@linkcode isIntact}. */
export async function recordContents(folder: string): Promise<void> {
  const contents: Contents = {};
  for await (const path of filesIn(folder)) {
    const { size, mtime } = await Deno.stat(join(folder, path));
    contents[path] = [size, mtime!.getTime(), await sha256(join(folder, path))];
  }
  await Deno.writeTextFile(join(folder, RECORD), JSON.stringify(contents));
}

/**
 * Whether a folder still holds what was written down. A file is read only if it seems to have been
 * written since, so that this takes milliseconds.
 */
export async function isIntact(folder: string): Promise<boolean> {
  try {
    const contents: Contents = JSON.parse(await Deno.readTextFile(join(folder, RECORD)));
    for (const [path, [size, time, hash]] of Object.entries(contents)) {
      const file = join(folder, path);
      const now = Deno.statSync(file); // for a thousand files, promises would take ten times as long
      if (now.size !== size) return false;
      if (now.mtime!.getTime() !== time && await sha256(file) !== hash) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function* filesIn(folder: string, path = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(folder, path))) {
    const inner = join(path, name);
    if (isDirectory) yield* filesIn(folder, inner);
    else yield inner;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
  return new Uint8Array(hash).toHex();
}
