import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Account } from "./account.ts";
import type { Binaries, SearchOptions } from "./binaries.ts";
import { exists, openPrivateCache, removeOldDrafts } from "./cache_folder.ts";
import { EmbeddedServerError } from "./embedded_server_error.ts";
import { Lifeline, type LifelineOptions } from "./lifeline.ts";

/** The superuser of every cluster. */
export const USER = "burst";

/** Options for {@linkcode openCluster}. */
export interface ClusterOptions extends Pick<LifelineOptions, "account" | "template" | "archive"> {
  binaries: Binaries;
  /** Folder that keeps the data. Without it they live in a temporary one. */
  dataDir?: string;
  /** Whether a cluster that is created now survives a power failure. */
  sync?: boolean;
  postgresArgs?: readonly string[];
}

/** Starts the child that creates the cluster, unless it is there, and runs its server. */
export async function openCluster(
  { binaries: { bin, version }, dataDir, sync = false, postgresArgs = [], ...rest }: ClusterOptions,
): Promise<Lifeline> {
  const { account } = rest;
  const options: LifelineOptions = {
    ...rest,
    bin,
    dataDir: dataDir ?? join(await temporaryRoot(account), `burst-postgres-${randomHex(8)}`),
    temporary: dataDir === undefined,
    user: USER,
    password: randomHex(24),
    initdbArgs: [...initdbArgs(version), ...(sync ? [] : ["--no-sync"])],
    postgresArgs,
  };
  try {
    return new Lifeline(options);
  } catch (error) {
    const user = account ? `the user '${account.name}'` : "this user";
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedServerError(`Cannot start PostgreSQL as ${user}: ${reason}`, {
      cause: error,
    });
  }
}

/**
 * A new cluster in one file. To unpack it takes a tenth of the time of `initdb`. It is made when it
 * is first asked for, and then found in the cache folder.
 *
 * It is for temporary data: the copies share the system identifier, by which PostgreSQL tells
 * clusters apart when one is restored or replicated from another.
 *
 * @returns The file, or nothing where it cannot be made.
 */
export async function clusterTemplate(
  cacheDir: string,
  binaries: Binaries,
  { account, onProgress, signal }: SearchOptions,
): Promise<string | undefined> {
  if (Deno.build.os === "windows") return undefined; // there is no shell to unpack it
  const cache = await openPrivateCache(cacheDir).catch(() => undefined);
  if (cache === undefined) return undefined;
  const template = join(cache, `cluster-${binaries.release}-${await fingerprint(binaries)}.tar`);
  if (await exists(template)) return template;
  onProgress?.("Creating a database cluster");
  await removeOldDrafts(cache);
  const archive = await Deno.makeTempFile({ dir: cache, prefix: "draft-" });
  try {
    if (account) await Deno.chown(archive, account.uid, account.gid);
    const lifeline = await openCluster({ binaries, account, archive });
    const stop = () => void lifeline.end();
    signal?.addEventListener("abort", stop, { once: true });
    await lifeline.ended;
    await lifeline.end(); // closes its standard input
    signal?.removeEventListener("abort", stop);
    signal?.throwIfAborted();
    // `initdb` will fail for the server as well, and the reason is told there
    if (lifeline.reports.has("failed")) return undefined;
    if (account) await Deno.chown(archive, Deno.uid(), Deno.gid());
    await Deno.chmod(archive, 0o644);
    await Deno.rename(archive, template);
    return template;
  } finally {
    await Deno.remove(archive).catch(() => {}); // unless it has got its name
  }
}

/** Tells apart programs, of one release or not, that cannot read each other's data. */
async function fingerprint({ bin, version }: Binaries): Promise<string> {
  const { os, arch } = Deno.build;
  const text = JSON.stringify([os, arch, bin, initdbArgs(version)]);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash, 0, 6).toHex();
}

function initdbArgs(version: number): string[] {
  const args = ["--auth=scram-sha-256", `--username=${USER}`, "--encoding=UTF8", "--locale=C"];
  // C.UTF-8 knows upper and lower case beyond ASCII. As a locale of the system it may be missing
  if (version >= 17) args.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8");
  return args;
}

/** Folder for temporary folders of the server's user. */
async function temporaryRoot(account: Account | undefined): Promise<string> {
  const root = tmpdir();
  if (account === undefined) return root;
  // Root may have one that is closed to others
  const { mode } = await Deno.stat(root).catch(() => ({ mode: 0 }));
  return (mode! & 0o003) === 0o003 ? root : "/tmp";
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
