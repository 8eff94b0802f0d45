// A thread with one engine: hashes what it is told to, and says when that is done.
import { randomPassword } from "../../workload.ts";
import { ENGINES, type HashAll } from "./engines.ts";

/** What a thread is told. */
export type ToThread =
  | { readonly load: string }
  | { readonly cost: number; readonly count: number };

/** What it answers, once that is done. */
export interface FromThread {
  readonly error?: string;
}

const scope = globalThis as unknown as {
  addEventListener(type: "message", listener: (event: MessageEvent<ToThread>) => void): void;
  postMessage(message: FromThread): void;
};
let hashAll: HashAll;

scope.addEventListener("message", async ({ data }) => {
  try {
    if ("load" in data) hashAll = await ENGINES.find(({ name }) => name === data.load)!.load();
    else {
      const passwords = Array.from({ length: data.count }, (_, seed) => randomPassword({ seed }));
      await hashAll(passwords, data.cost);
    }
    scope.postMessage({});
  } catch (error) {
    scope.postMessage({ error: (error as Error).message });
  }
});
