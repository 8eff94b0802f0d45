/**
 * The same service as `serve.ts`, but for one thing: it hashes on the thread that serves, as most
 * services do. For comparison only.
 */
import { hashPassword, verifyPassword } from "../../workload.ts";
import { runScript } from "../cli/run.ts";
import { serveUsers } from "../serve/main.ts";

if (import.meta.main) {
  await runScript((signal) =>
    serveUsers(signal, Deno.args, ({ cost }) => {
      let inFlight = 0;
      async function counted<T>(work: Promise<T>): Promise<T> {
        inFlight++;
        try {
          return await work;
        } finally {
          inFlight--;
        }
      }
      return {
        hash: (password) => counted(hashPassword(password, { cost })),
        verify: (password, hash) => counted(verifyPassword(password, hash)),
        size: 0,
        get inFlight() {
          return inFlight;
        },
        async [Symbol.asyncDispose]() {},
      };
    }), { service: true });
}
