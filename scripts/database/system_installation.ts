import { delimiter, isAbsolute, join } from "node:path";
import { type Binaries, inspectBinaries, outputOf, type SearchOptions } from "./binaries.ts";

/** SCRAM passwords came with version 10. */
const OLDEST_VERSION = 10;

/** Folders of installers that do not put the server on the PATH, with `*` for the version. */
const USUAL_FOLDERS = [
  "/usr/lib/postgresql/*/bin", // Debian
  "/usr/pgsql-*/bin", // Red Hat
  "/opt/homebrew/opt/postgresql@*/bin",
  "/usr/local/opt/postgresql@*/bin",
  "/opt/local/lib/postgresql*/bin", // MacPorts
  "/Applications/Postgres.app/Contents/Versions/*/bin",
  "/Library/PostgreSQL/*/bin",
  "/usr/local/pgsql/bin",
  "C:\\Program Files\\PostgreSQL\\*\\bin",
];

/** Finds a PostgreSQL server that is installed on this system. */
export async function systemInstallation({ account, data }: SearchOptions): Promise<Binaries> {
  for await (const bin of candidates()) {
    const binaries = await inspectBinaries(bin, account).catch(() => undefined);
    if (binaries === undefined || binaries.version < OLDEST_VERSION) continue;
    if (data === undefined || data.version === binaries.version) return binaries;
  }
  throw new Error(`no PostgreSQL ${data?.version ?? "server"} was found on this system`);
}

async function* candidates(): AsyncGenerator<string> {
  // A relative folder on the PATH would run programs from wherever the user happens to be
  yield* (Deno.env.get("PATH") ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  const folder = (await outputOf("pg_config", { args: ["--bindir"] }).catch(() => "")).trim();
  if (isAbsolute(folder)) yield folder;
  for (const pattern of USUAL_FOLDERS) yield* await expand(pattern);
}

/** The folders that match a pattern with one `*`, the newest version first. */
async function expand(pattern: string): Promise<string[]> {
  const separator = pattern.includes("\\") ? "\\" : "/";
  const parts = pattern.split(separator);
  const wild = parts.findIndex((part) => part.includes("*"));
  if (wild === -1) return [pattern];
  const parent = parts.slice(0, wild).join(separator);
  const [before, after] = parts[wild].split("*");
  const versions: string[] = [];
  try {
    for await (const { name } of Deno.readDir(parent)) {
      if (name.startsWith(before) && name.endsWith(after)) versions.push(name);
    }
  } catch {
    return []; // no such folder on this system
  }
  return versions
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .map((name) => join(parent, name, ...parts.slice(wild + 1)));
}
