import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Account, serverAccount } from "./account.ts";
import { type Binaries, type BinarySource, findBinaries } from "./binaries.ts";
import { prepareDataDir } from "./data_dir.ts";
import type { EmbeddedServer, EmbeddedServerOptions } from "./embedded.ts";
import { DataDirError, EmbeddedServerError } from "./embedded_server_error.ts";
import { Lifeline, type LifelineOptions } from "./lifeline.ts";
import { explainFailure, PortTakenError } from "./start_failure.ts";

const USER = "burst";
const DATABASE = "postgres"; // every new cluster has it; another one would take time to create
const POLL_INTERVAL = 10; // ms
const PATIENCE = 2_000; // ms that the server of a program that was just killed may take to end

/** `startEmbeddedServer()` with a choice of where PostgreSQL may come from. */
export async function startServer(
  options: EmbeddedServerOptions,
  sources: readonly BinarySource[],
): Promise<EmbeddedServer> {
  const { port } = options;
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new RangeError(
      `Cannot start a server as 'port' must be an integer from 1 to 65535: current value is ${port}`,
    );
  }
  const giveUpAt = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await startOnce(options, sources);
    } catch (error) {
      if (!(error instanceof DataDirError) || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * POLL_INTERVAL));
    }
  }
}

async function startOnce(
  options: EmbeddedServerOptions,
  sources: readonly BinarySource[],
): Promise<EmbeddedServer> {
  const { port, signal, onProgress } = options;
  signal?.throwIfAborted();
  const keptDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
  const account = await serverAccount(keptDir);
  const version = keptDir === undefined ? undefined : await prepareDataDir(keptDir, account);
  const binaries = await findBinaries(sources, { account, onProgress, signal });
  if (version !== undefined && version !== binaries.version) {
    throw new EmbeddedServerError(
      `Cannot use '${keptDir}' as the data folder as PostgreSQL ${version} has written it, and this is PostgreSQL ${binaries.version}: choose another folder`,
    );
  }
  for (let attempt = 1;; attempt++) {
    try {
      return await launch({ ...options, port: port ?? freePort() }, keptDir, binaries, account);
    } catch (error) {
      // Somebody else may have taken the free port before the server did
      if (port !== undefined || !(error instanceof PortTakenError) || attempt === 5) throw error;
    }
  }
}

async function launch(
  { port, durable = true, onProgress, signal }: EmbeddedServerOptions & { port: number },
  keptDir: string | undefined,
  { bin, version }: Binaries,
  account: Account | undefined,
): Promise<EmbeddedServer> {
  const dataDir = keptDir ?? join(await temporaryRoot(account), `burst-postgres-${randomHex(8)}`);
  const lifeline = runAs(account, {
    bin,
    dataDir,
    temporary: keptDir === undefined,
    initdbArgs: initdbArgs(version, keptDir !== undefined && durable),
    postgresArgs: postgresArgs(port, durable),
    password: randomHex(24),
  });
  const { reports } = lifeline;
  try {
    for (let told = false;;) {
      if (!told && reports.has("initdb")) {
        told = true;
        onProgress?.("Creating a database cluster");
      }
      signal?.throwIfAborted();
      if (lifeline.hasEnded) {
        const { output } = lifeline;
        const step = reports.get("failed");
        throw explainFailure({ step, output, dataDir, port, user: account?.name });
      }
      if (await isReady(dataDir, Number(reports.get("server")))) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
    }
  } catch (error) {
    await lifeline.end();
    throw error;
  }
  await lifeline.release();
  const url = `postgres://${USER}:${reports.get("password")}@127.0.0.1:${port}/${DATABASE}`;
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= lifeline.end();
  const pid = Number(reports.get("server"));
  return { url, port, pid, dataDir, stop, [Symbol.asyncDispose]: stop };
}

function runAs(account: Account | undefined, options: LifelineOptions): Lifeline {
  try {
    return new Lifeline({ ...options, account });
  } catch (error) {
    const user = account ? `the user '${account.name}'` : "this user";
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedServerError(`Cannot start PostgreSQL as ${user}: ${reason}`, {
      cause: error,
    });
  }
}

/** Whether our server, and not another one's file, says that clients may come. */
async function isReady(dataDir: string, pid: number): Promise<boolean> {
  const file = await Deno.readTextFile(join(dataDir, "postmaster.pid")).catch(() => "");
  const lines = file.split("\n");
  return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
}

function initdbArgs(version: number, sync: boolean): string[] {
  const args = ["--auth=scram-sha-256", `--username=${USER}`, "--encoding=UTF8", "--locale=C"];
  // C.UTF-8 knows upper and lower case beyond ASCII. As a locale of the system it may be missing
  if (version >= 17) args.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8");
  if (!sync) args.push("--no-sync");
  return args;
}

function postgresArgs(port: number, durable: boolean): string[] {
  const settings = ["listen_addresses=127.0.0.1", `port=${port}`, "unix_socket_directories="];
  if (!durable) settings.push("fsync=off", "synchronous_commit=off", "full_page_writes=off");
  return settings.flatMap((setting) => ["-c", setting]);
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
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
