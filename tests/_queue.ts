import { join } from "node:path";
import { openNats } from "../scripts/queue/connection.ts";
import { Streams } from "../scripts/queue/streams.ts";
import { type Need, needing } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import { HashRun, type Output } from "./fixtures/hash_run.ts";
import { NATS, NatsServer } from "./fixtures/nats_server.ts";
import { runHere } from "./fixtures/script_here.ts";

export type Script = "enqueue.ts" | "worker.ts" | "status.ts";

/** What a test of the queue works with. */
export interface QueueContext {
  readonly nats: NatsServer;
  readonly folder: string;
  /** Path of a file in the folder, written with this content. */
  readonly file: (name: string, content: string) => Promise<string>;
  /** Starts a script. */
  readonly start: (script: Script, args?: readonly string[]) => HashRun;
  /** Runs a script to its end, in this process. */
  readonly run: (script: Script, args?: readonly string[]) => Promise<Output>;
  readonly status: () => Promise<Record<string, number>>;
}

const FLAGS: Record<Script, readonly (readonly string[])[]> = {
  "enqueue.ts": [["--create-stream"], ["--json"]],
  // However busy this machine is, a worker says in time that it is still at work
  "worker.ts": [
    ...[["--create-stream"], ["--json"], ["--cost", "4"], ["--workers", "1"]],
    ["--ack-wait", "30"],
  ],
  "status.ts": [["--json"]],
};

/** A test with a NATS server and a folder with a key. */
export function queueTest(
  name: string,
  fn: (context: QueueContext) => Promise<void>,
  ...needs: readonly Need[]
): void {
  waitingTest({ ...needing(name, NATS, ...needs), fn: () => withQueue(fn) });
}

/**
 * Runs `fn` with a NATS server and a folder with a key.
 *
 * @param target The table that workers save to, and the database that it is in.
 */
export async function withQueue(
  fn: (context: QueueContext) => Promise<void>,
  target?: { readonly table: string; readonly databaseUrl: string },
): Promise<void> {
  await withFolder(async (folder) => {
    await using nats = await NatsServer.start();
    const file = async (name: string, content: string) => {
      const path = join(folder, name);
      await Deno.writeTextFile(path, content, { mode: 0o600 });
      return path;
    };
    const key = await file("key", "ab".repeat(32));
    const flagsOf = (script: Script, args: readonly string[]) => {
      // What a test says goes first: a flag may stand only once.
      const given = new Set(args);
      const pairs = [
        ["--nats", nats.url],
        ...(script === "status.ts" ? [] : [["--key-file", key]]),
        ...(script === "worker.ts" && target
          ? [["--table", target.table], ["--database-url", target.databaseUrl]]
          : []),
        ...FLAGS[script],
      ];
      return [...args, ...pairs.filter(([flag]) => !given.has(flag)).flat()];
    };
    const start = (script: Script, args: readonly string[] = []) =>
      new HashRun(flagsOf(script, args), {}, script);
    const run = (script: Script, args: readonly string[] = []) =>
      runHere(script, flagsOf(script, args));
    const status = async () => {
      // Not by status.ts, as only one script at a time runs in this process.
      await using opened = await openNats({ nats: nats.url });
      return { ...await (await Streams.open(opened.connection, "burst")).count() };
    };
    await fn({ nats, folder, file, start, run, status });
  });
}

/** The numbers of an account that are not 0, without those that depend on the machine. */
export function account({ stdout }: Output): Record<string, number> {
  const { version: _, seconds: __, complete: ___, ...counts } = JSON.parse(stdout);
  return Object.fromEntries(Object.entries(counts as Record<string, number>).filter(([, n]) => n));
}

/** All that is in the files of a folder. */
export async function contentOf(folder: string): Promise<string> {
  let content = "";
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) content += await contentOf(path);
    else content += new TextDecoder("latin1").decode(await Deno.readFile(path));
  }
  return content;
}
