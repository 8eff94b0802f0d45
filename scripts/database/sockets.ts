import type { Socket } from "node:net";
import { postgresOptions } from "../../postgres.ts";

/** What listens is something else than PostgreSQL. */
export class StrangerError extends Error {}

/** What a server of PostgreSQL, or a pooler, may begin with: an answer about TLS, or a message. */
const FIRST_BYTES = new Set([..."SNREv"].map((letter) => letter.charCodeAt(0)));

/** Milliseconds to the next connection after one that was closed without a word. */
const PAUSE = 200;

const openSocket = postgresOptions.socket as (options: unknown) => Socket;

/** The sockets of a pool of connections, which can be destroyed whatever their other end does. */
export class DatabaseSockets {
  readonly #open = new Set<Socket>();
  readonly #stranger = Promise.withResolvers<never>();
  #isSilent = false;

  constructor() {
    this.#stranger.promise.catch(() => {}); // it may come when nobody connects for the first time
  }

  /** Rejects when what listens turns out to be something else than PostgreSQL. */
  get stranger(): Promise<never> {
    return this.#stranger.promise;
  }

  /** The option `socket` of postgres.js, which itself connects again at once, and for ever. */
  readonly open = async (options: unknown): Promise<Socket> => {
    if (this.#isSilent) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const socket = openSocket(options);
    this.#open.add(socket);
    let hasSpoken = false;
    socket.once("data", (bytes) => {
      hasSpoken = FIRST_BYTES.has(bytes[0]);
      if (hasSpoken) return;
      this.#stranger.reject(
        new StrangerError("what listens there is no PostgreSQL: check host and port"),
      );
      socket.destroy();
    });
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#isSilent = !hasSpoken;
    });
    return socket;
  };

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
