import { join } from "node:path";
import type { Account } from "./account.ts";
import { missingPermission } from "../cli/run.ts";
import { EmbeddedServerError } from "./embedded_server_error.ts";

/** The programs of one PostgreSQL installation. */
export interface Binaries {
  /** Folder that holds `initdb` and `postgres`. */
  readonly bin: string;
  /** Major version. */
  readonly version: number;
  /** The exact version, as in "18.4". */
  readonly release: string;
}

/** What a {@linkcode BinarySource} may need to know. */
export interface SearchOptions {
  /** The user that will run the programs. */
  account?: Account;
  /** The data that they have to read. Only the version that wrote them can. */
  data?: { readonly folder: string; readonly version: number };
  onProgress?: (message: string) => void;
  signal?: AbortSignal;
}

/** Finds PostgreSQL in one place, or rejects with a clause that can follow "as". */
export type BinarySource = (options: SearchOptions) => Promise<Binaries>;

/** Asks the sources one after another, until one has a PostgreSQL. */
export async function findBinaries(
  sources: readonly BinarySource[],
  options: SearchOptions,
): Promise<Binaries> {
  const reasons: string[] = [];
  for (const source of sources) {
    options.signal?.throwIfAborted();
    try {
      const binaries = await source(options);
      if (reasons.length > 0) {
        const { version, bin } = binaries;
        options.onProgress?.(
          `Using PostgreSQL ${version} in '${bin}' as ${reasons.join(", and ")}`,
        );
      }
      return binaries;
    } catch (error) {
      options.signal?.throwIfAborted();
      // Another server than the usual one is no way out where Deno was not given a permission.
      if (missingPermission(error) !== undefined) throw error;
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (options.data) {
    const { folder, version } = options.data;
    throw new EmbeddedServerError(
      `Cannot use '${folder}' as the data folder as PostgreSQL ${version} has written it, ${
        reasons.join(", and ")
      }: install PostgreSQL ${version} or choose another folder`,
    );
  }
  throw new EmbeddedServerError(
    `Cannot start PostgreSQL as ${
      reasons.join(", and ")
    }: install PostgreSQL or pass --database-url`,
  );
}

/** Asks the programs in a folder for their version, which also proves that they run at all. */
export async function inspectBinaries(bin: string, account?: Account): Promise<Binaries> {
  const suffix = Deno.build.os === "windows" ? ".exe" : "";
  await Deno.stat(join(bin, `initdb${suffix}`));
  const output = await outputOf(join(bin, `postgres${suffix}`), {
    args: ["--version"],
    cwd: bin,
    uid: account?.uid,
    gid: account?.gid,
  });
  const release = /\(PostgreSQL\) (\d[\w.]*)/.exec(output)?.[1];
  if (release === undefined) throw new Error(`'${bin}' holds no PostgreSQL that runs here`);
  return { bin, version: parseInt(release), release };
}

/** What a program prints. Rejects if there is no such program, where `Deno.Command` throws at once. */
export async function outputOf(program: string, options: Deno.CommandOptions): Promise<string> {
  const command = new Deno.Command(program, { ...options, stdin: "null", stderr: "null" });
  return new TextDecoder().decode((await command.output()).stdout);
}
