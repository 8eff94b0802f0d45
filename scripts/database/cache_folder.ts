import { homedir, tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/** Where this user keeps programs that can be fetched again. */
export function defaultCacheDir(): string {
  if (Deno.build.os === "windows") {
    return join(Deno.env.get("LOCALAPPDATA") ?? homedir(), "burst", "cache");
  }
  // Root's server runs as another user, who cannot look into root's home
  if (Deno.uid() === 0) return "/var/cache/burst";
  const xdg = Deno.env.get("XDG_CACHE_HOME") ?? "";
  if (isAbsolute(xdg)) return join(xdg, "burst");
  const home: string | null = homedir(); // null for a user whom the system does not know
  if (home === null) return join(tmpdir(), `burst-cache-${Deno.uid()}`);
  return join(home, Deno.build.os === "darwin" ? "Library/Caches" : ".cache", "burst");
}

/**
 * Creates a folder for programs unless it exists, and makes sure that no other user could have put
 * anything there, or could put it there later.
 *
 * @returns The folder's path without symbolic links.
 */
export async function openPrivateCache(folder: string): Promise<string> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
    const path = await Deno.realPath(folder);
    if (Deno.build.os === "windows") return path;
    await checkAncestors(path);
    // Whatever root's umask, the server's user has to read what is here
    if (Deno.uid() === 0) await Deno.chmod(path, 0o755);
    return path;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const remedy = Deno.build.os === "windows" || Deno.uid() === 0
      ? ""
      : ", set XDG_CACHE_HOME to use another";
    throw new Error(`the cache folder '${folder}' cannot be used (${error.message}${remedy})`);
  }
}

/** Removes the drafts of programs that were killed before they could finish or remove them. */
export async function removeOldDrafts(cache: string): Promise<void> {
  for await (const { name } of Deno.readDir(cache)) {
    if (!name.startsWith("draft-")) continue;
    const { mtime } = await Deno.lstat(join(cache, name)).catch(() => ({ mtime: null }));
    if (mtime && Date.now() - mtime.getTime() > 3_600_000) {
      await Deno.remove(join(cache, name), { recursive: true }).catch(() => {});
    }
  }
}

/**
 * Rejects if somebody other than this user and root can change what is found under a path. Like
 * sshd, it looks at every folder on the way: who can write one can replace what is below.
 */
async function checkAncestors(folder: string): Promise<void> {
  const me = Deno.uid();
  for (let path = folder;; path = dirname(path)) {
    const { uid, gid, mode } = await Deno.lstat(path);
    if (uid !== 0 && uid !== me) throw new Error(`'${path}' belongs to another user`);
    // Many systems give every user a group of their own, and let it write
    const groupIsPrivate = gid === 0 || (uid === me && gid === me);
    const shared = mode! & (groupIsPrivate ? 0o002 : 0o022);
    // In a folder with the sticky bit, as /tmp has it, nobody can replace what others own
    const sticky = mode! & 0o1000 && path !== folder;
    if (shared && !sticky) throw new Error(`other users can write '${path}'`);
    if (path === dirname(path)) return;
  }
}

export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
