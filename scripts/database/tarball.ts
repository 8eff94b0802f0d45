import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

const BLOCK = 512;

/**
 * Unpacks the files below `prefix` of a .tar.gz into a folder, for every user to read. It knows as
 * much of the format as npm's packages use, and trusts them: their hash is to be checked before.
 */
export async function unpackTarball(
  tarball: Uint8Array<ArrayBuffer>,
  prefix: string,
  folder: string,
): Promise<void> {
  const tar = await promisify(gunzip)(tarball); // in half the time of a DecompressionStream
  const text = (start: number, end: number) =>
    new TextDecoder().decode(tar.subarray(start, end)).replace(/\0.*$/s, "");
  const folders = new Set<string>();
  for (let header = 0; tar[header];) {
    const name = text(header, header + 100);
    const size = parseInt(text(header + 124, header + 136), 8);
    const type = text(header + 156, header + 157);
    const directory = text(header + 345, header + 500);
    const start = header + BLOCK;
    header = start + Math.ceil(size / BLOCK) * BLOCK;
    const path = directory ? `${directory}/${name}` : name;
    if (type !== "0" || !path.startsWith(prefix)) continue;
    const file = join(folder, path.slice(prefix.length));
    await makeFolders(dirname(file), folder, folders);
    await Deno.writeFile(file, tar.subarray(start, start + size));
    await setMode(file, dirname(path).endsWith("/bin") ? 0o755 : 0o644);
  }
}

async function makeFolders(path: string, root: string, made: Set<string>): Promise<void> {
  if (made.has(path)) return;
  made.add(path);
  if (path !== root) {
    await makeFolders(dirname(path), root, made);
    await Deno.mkdir(path);
  }
  await setMode(path, 0o755); // whatever the umask
}

async function setMode(path: string, mode: number): Promise<void> {
  if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
}
