import { createConnection, type Socket } from "node:net";
import { checkWorker } from "../../cli/files.ts";
import { ScriptError } from "../../cli/run.ts";
import type { Address } from "../../database/connect.ts";
import type { ListenAnswer, ListenRequest } from "./protocol.ts";

const WORKER = new URL("./worker.ts", import.meta.url);

/** Opens a connection to the server, as the `socket` option of postgres.js takes it. */
export type Dial = () => Promise<Socket>;

/**
 * A TCP proxy before a server that adds a round-trip time, on a thread of its own.
 *
 * It works on bytes, so it neither knows nor breaks TLS, and limits no bandwidth. It listens on this
 * machine only, and lets in only those who know a random token: a server that trusts this user's
 * socket is not opened to others. It ends with the program, or when it is disposed of.
 */
export class LatencyProxy implements Disposable {
  readonly #servers: readonly Address[];
  readonly #token = crypto.getRandomValues(new Uint8Array(32));
  readonly #worker = new Worker(WORKER, {
    type: "module",
    name: "burst-latency-proxy",
  });

  private constructor(servers: readonly Address[]) {
    this.#servers = servers;
  }

  /**
   * Starts it.
   *
   * @param servers Where the server listens; of several, the first that answers is taken.
   */
  static async start(servers: readonly Address[]): Promise<LatencyProxy> {
    await checkWorker(WORKER);
    return new LatencyProxy(servers);
  }

  /**
   * Opens a way to the server whose answers take that much longer.
   *
   * @throws {ScriptError} If the proxy cannot listen.
   */
  async open(delayMs: number): Promise<Dial> {
    const port = await this.#listen(delayMs);
    return () =>
      new Promise((resolve, reject) => {
        const socket = createConnection({ host: "127.0.0.1", port, noDelay: true });
        socket.once("error", reject);
        socket.once("connect", () => {
          socket.off("error", reject);
          socket.write(this.#token);
          // By this name the driver checks the server's certificate.
          const [server] = this.#servers;
          resolve(
            Object.assign(socket, { host: "path" in server ? server.path : server.hostname }),
          );
        });
      });
  }

  /** Closes all connections through it. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #listen(delayMs: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const fail = (reason: string) =>
      reject(new ScriptError(`Cannot add latency as the proxy does not start: ${reason}`));
    this.#worker.onmessage = ({ data }: MessageEvent<ListenAnswer>) =>
      "port" in data ? resolve(data.port) : fail(data.error);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message);
    };
    const request: ListenRequest = { servers: this.#servers, delayMs, token: this.#token };
    this.#worker.postMessage(request);
    return promise;
  }
}
