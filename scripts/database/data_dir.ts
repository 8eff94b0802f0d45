import { join } from "node:path";
import { type Account, serverAccount } from "./account.ts";
import { DataDirError, EmbeddedServerError } from "./embedded_server_error.ts";

/**
 * Makes a folder ready to keep a server's data. A folder that holds anything is left as it is.
 *
 * @returns The major version of PostgreSQL that wrote the data in it, if there is any.
 * @throws {DataDirError} If the folder holds something else.
 * @throws {EmbeddedServerError} If it cannot be used for another reason.
 */
export async function prepareDataDir(
  dataDir: string,
  account?: Account,
): Promise<number | undefined> {
  try {
    await Deno.mkdir(dataDir, { recursive: true });
    const entries = await Array.fromAsync(Deno.readDir(dataDir));
    if (entries.length === 0) {
      await checkOwner(dataDir);
      // PostgreSQL wants to own its folder. Root's program has just made it, or got an empty one
      if (account) await Deno.chown(dataDir, account.uid, account.gid);
      return undefined;
    }
    const version = await Deno.readTextFile(join(dataDir, "PG_VERSION"));
    if (/^\d+/.test(version)) return parseInt(version);
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    if (!(error instanceof Deno.errors.NotFound)) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new EmbeddedServerError(`Cannot use '${dataDir}' as the data folder: ${reason}`, {
        cause: error,
      });
    }
  }
  throw new DataDirError(
    `Cannot use '${dataDir}' as the data folder as it is neither empty nor a PostgreSQL cluster: choose another folder`,
  );
}

/** Whoever owns the folder could put another cluster in the place of the one that is created now. */
async function checkOwner(dataDir: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const { uid } = await Deno.stat(dataDir);
  if (uid === Deno.uid() || uid === (await serverAccount())?.uid) return;
  throw new EmbeddedServerError(
    `Cannot use '${dataDir}' as the data folder as it belongs to another user: choose another folder`,
  );
}
