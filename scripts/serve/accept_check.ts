import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { ScriptError } from "../cli/run.ts";

/** Options of {@linkcode watchAccepting}, in milliseconds. */
export interface AcceptCheckOptions {
  /** Between two checks. */
  readonly interval?: number;
  /** How long a connection may take to be accepted. */
  readonly timeout?: number;
}

/** So many checks in a row fail before it is believed. */
const FAILURES = 3;

/**
 * Watches whether a server accepts connections: in Deno 2.9 one that has run out of file descriptors
 * goes on listening, and never accepts again. It connects to itself now and then. A connection that is
 * closed at once, as there are too many, counts as accepted.
 */
export function watchAccepting(
  server: Server,
  { interval = 5_000, timeout = 5_000 }: AcceptCheckOptions = {},
): Disposable & { readonly failed: Promise<never> } {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {}); // the service may end for another reason
  let failures = 0;
  let timer: ReturnType<typeof setTimeout>;
  let probe: Socket | undefined;
  let isOver = false;

  async function check(): Promise<void> {
    const isFine = await new Promise<boolean>((resolve) => {
      const accepted = () => resolve(true);
      server.once("connection", accepted);
      const { address, port } = server.address() as AddressInfo;
      probe = connect(port, address);
      probe.setTimeout(timeout, () => probe?.destroy(new Error("It is not accepted")));
      probe.on("error", (error) => resolve(isForbidden(error)));
      probe.on("close", () => {
        server.off("connection", accepted);
        resolve(true);
      });
      probe.on("end", () => resolve(true));
      probe.resume();
    });
    probe?.destroy();
    if (isOver) return;
    failures = isFine ? 0 : failures + 1;
    if (failures >= FAILURES) {
      return reject(
        new ScriptError(
          "Cannot go on serving as no connection is accepted any more: raise the limit of open files (ulimit -n), or lower --max-connections",
        ),
      );
    }
    wait();
  }

  function wait(): void {
    timer = setTimeout(() => void check(), interval);
  }

  wait();
  return {
    failed,
    [Symbol.dispose]() {
      isOver = true;
      clearTimeout(timer);
      probe?.destroy();
    },
  };
}

/** Without the permission to connect nothing can be said. */
function isForbidden(error: Error): boolean {
  return error instanceof Deno.errors.NotCapable || /EPERM|EACCES/.test(String(error));
}
