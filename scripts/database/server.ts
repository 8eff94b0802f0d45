import { join, resolve } from "node:path";
import { serverAccount } from "./account.ts";
import { type BinarySource, findBinaries } from "./binaries.ts";
import { defaultCacheDir } from "./cache_folder.ts";
import { type ClusterOptions, clusterTemplate, openCluster, USER } from "./cluster.ts";
import { prepareDataDir } from "./data_dir.ts";
import { DataDirError } from "./embedded_server_error.ts";
import { explainFailure, PortTakenError } from "./start_failure.ts";

const DATABASE = "postgres"; // every new cluster has it; another one would take time to create
const POLL_INTERVAL = 10; // ms
const PATIENCE = 2_000; // ms that the server of a program that was just killed may take to end

/** Options for {@linkcode startServer}. */
export interface EmbeddedServerOptions {
  /**
   * Folder that keeps the data after the server has ended. It is created if need be. Without it the
   * data lives in a temporary folder and is removed.
   */
  dataDir?: string;
  /**
   * Whether a commit survives a power failure, as it does by default in PostgreSQL. Without it
   * saving is faster, and figures measured that way say nothing about a real server.
   *
   * @default {true}
   */
  durable?: boolean;
  /**
   * TCP port on 127.0.0.1.
   *
   * @default {a free one, chosen by the operating system}
   */
  port?: number;
  /** Called with one short sentence when something slow begins. */
  onProgress?: (message: string) => void;
  /** Gives up starting. A server that is ready is not affected. */
  signal?: AbortSignal;
}

/** A PostgreSQL server that ends with this program, however it ends. */
export interface EmbeddedServer extends AsyncDisposable {
  /** Where to connect, with user and password. */
  readonly url: string;
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** The server's main process. */
  readonly pid: number;
  /** Folder with the data and the server's log, `server.log`. */
  readonly dataDir: string;
  /**
   * Stops the server. The second call returns the promise of the first.
   *
   * @returns A promise that resolves once the server is gone and temporary data is removed.
   */
  stop(): Promise<void>;
}

/** `startEmbeddedServer()` with a choice of where PostgreSQL may come from. */
export async function startServer(
  options: EmbeddedServerOptions,
  sources: readonly BinarySource[],
  cacheDir = defaultCacheDir(),
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
      return await startOnce(options, sources, cacheDir);
    } catch (error) {
      if (!(error instanceof DataDirError) || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * POLL_INTERVAL));
    }
  }
}

async function startOnce(
  options: EmbeddedServerOptions,
  sources: readonly BinarySource[],
  cacheDir: string,
): Promise<EmbeddedServer> {
  const { port, durable = true, signal, onProgress } = options;
  signal?.throwIfAborted();
  const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
  const account = await serverAccount(dataDir);
  const version = dataDir === undefined ? undefined : await prepareDataDir(dataDir, account);
  const data = dataDir !== undefined && version !== undefined
    ? { folder: dataDir, version }
    : undefined;
  const search = { account, data, onProgress, signal };
  const binaries = await findBinaries(sources, search);
  const template = dataDir === undefined
    ? await clusterTemplate(cacheDir, binaries, search)
    : undefined;
  const cluster = { binaries, dataDir, account, template, sync: durable };
  for (let attempt = 1;; attempt++) {
    try {
      return await launch({ ...options, port: port ?? freePort() }, cluster);
    } catch (error) {
      // Somebody else may have taken the free port before the server did
      if (port !== undefined || !(error instanceof PortTakenError) || attempt === 5) throw error;
    }
  }
}

async function launch(
  { port, durable = true, onProgress, signal }: EmbeddedServerOptions & { port: number },
  cluster: ClusterOptions,
): Promise<EmbeddedServer> {
  const lifeline = await openCluster({ ...cluster, postgresArgs: postgresArgs(port, durable) });
  const { reports, dataDir } = lifeline;
  try {
    for (let told = false;;) {
      if (!told && reports.has("initdb")) {
        told = true;
        onProgress?.("Creating a database cluster");
      }
      signal?.throwIfAborted();
      if (lifeline.hasEnded) {
        const { output } = lifeline;
        const [step, signal] = ["failed", "signal"].map((event) => reports.get(event));
        throw explainFailure({ step, output, signal, dataDir, port, user: cluster.account?.name });
      }
      if (await isReady(dataDir, Number(reports.get("server")))) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
    }
  } catch (error) {
    await lifeline.end();
    throw error;
  }
  await lifeline.release();
  if (cluster.template && reports.has("unusable")) {
    await Deno.remove(cluster.template).catch(() => {}); // another program was faster
  }
  const url = `postgres://${USER}:${reports.get("password")}@127.0.0.1:${port}/${DATABASE}`;
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= lifeline.end();
  const pid = Number(reports.get("server"));
  return { url, port, pid, dataDir, stop, [Symbol.asyncDispose]: stop };
}

/** Whether our server, and not another one's file, says that clients may come. */
async function isReady(dataDir: string, pid: number): Promise<boolean> {
  const file = await Deno.readTextFile(join(dataDir, "postmaster.pid")).catch(() => "");
  const lines = file.split("\n");
  return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
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
