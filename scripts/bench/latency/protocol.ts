import type { Address } from "../../database/connect.ts";

/** What the proxy's thread is asked for: a port whose answers come that much later. */
export interface ListenRequest {
  readonly servers: readonly Address[];
  readonly delayMs: number;
  /** What a client has to send first: others on this machine are not let in through the proxy. */
  readonly token: Uint8Array;
}

/** Its answer: the port, or why there is none. */
export type ListenAnswer = { readonly port: number } | { readonly error: string };
