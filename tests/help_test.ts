import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { databaseUrl } from "./_database.ts";
import { ACCOUNT, type Need, needing } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { DISK } from "./_temporary.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import type { Output } from "./fixtures/hash_run.ts";
import { NATS, NatsServer } from "./fixtures/nats_server.ts";

const ROOT = new URL("../", import.meta.url).pathname;
// Where there is no NATS, its client is not to be downloaded either.
const QUEUE_SCRIPTS = NATS.met ? ["enqueue.ts", "worker.ts", "status.ts"] : [];
const SCRIPTS = [
  "bench.ts",
  "run.ts",
  "hash.ts",
  "serve.ts",
  "load.ts",
  "engines.ts",
  ...QUEUE_SCRIPTS,
];

/** Starts a script with these permissions and no others. */
function start(script: string, args: readonly string[], permissions: readonly string[] = []) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, join(ROOT, "scripts", script), ...args],
    env: { NO_COLOR: "1", DATABASE_URL: "", ...DISK && { TMPDIR: DISK } },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function output(child: Deno.ChildProcess): Promise<Output> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A service is stopped as soon as it listens. */
async function served(child: Deno.ChildProcess): Promise<Output> {
  const errors = new Response(child.stderr).text();
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (/^Listening on .*\n/m.test(stdout)) child.kill("SIGTERM");
  }
  const [{ code }, stderr] = await Promise.all([child.status, errors]);
  return { code, stdout, stderr };
}

const helps = new Map<string, Promise<Output>>();

/** What a script prints with `--help`, without a permission. */
async function helpOf(script: string): Promise<string> {
  if (!helps.has(script)) helps.set(script, output(start(script, ["--help"])));
  const { code, stdout, stderr } = await helps.get(script)!;
  assertEquals([code, stderr], [0, ""], script);
  return stdout;
}

Deno.test({
  name: "every script tells its flags with --help, within 80 columns, without a permission",
  ignore: !allowed,
  async fn() {
    await Promise.all(SCRIPTS.map(helpOf));
    for (const script of SCRIPTS) {
      const help = await helpOf(script);
      for (const line of help.split("\n")) assert(line.length <= 80, `${script}: ${line}`);
      const [, examples] = /\nExamples:\n((?: {2}.*\n)+)/.exec(help)!;
      const commands = examples.match(new RegExp(`^ {2}deno run .*scripts/${script}\\b`, "gm"));
      assertEquals(commands?.length, 2, script);
      assertMatch(help, /^ {2}--help +print this help$/m);
    }
  },
});

/** The permissions that `--help` names: those that are always needed, and those for some purposes. */
function permissionsIn(help: string): { always: string[]; more: Map<string, string[]> } {
  const [, section] = /\nLeast permissions, instead of -A:\n((?: {2}.*\n)+)/.exec(help)!;
  const [always, ...more] = section.trimEnd().split("\n");
  return {
    always: always.trim().split(" "),
    more: new Map(more.map((line) => {
      const [, flags, purpose] = /^ {2}and ((?:--allow-\w+ )+)(.*)$/.exec(line)!;
      return [purpose, flags.trim().split(" ")];
    })),
  };
}

/** The permissions that `--help` names for these purposes, and for what it always does. */
async function namedFor(script: string, purposes: readonly string[]) {
  const { always, more } = permissionsIn(await helpOf(script));
  const extra = new Set(purposes.flatMap((purpose) => more.get(purpose)!));
  return { all: [...always, ...extra], own: purposes.length === 0 ? always : [...extra] };
}

const endOf = (script: string) => script === "serve.ts" ? served : output;

/**
 * Runs a script with the permissions that `--help` names.
 *
 * @param purposes What else than the usual is asked of it.
 */
async function assertEnough(
  script: string,
  args: readonly string[],
  ...purposes: readonly string[]
): Promise<void> {
  const { all } = await namedFor(script, purposes);
  const { code, stderr } = await endOf(script)(start(script, args, all));
  // On a machine that is very busy load.ts finds nothing to multiply, but had all permissions by then.
  const worked = code === 0 || /as it finished no sign-up in 1 s/.test(stderr);
  assert(worked, `${script} ${purposes}: ${stderr}`);
}

/** The same, and then without each of them, or of those that the purposes need. */
async function assertLeast(
  script: string,
  args: () => readonly string[],
  ...purposes: readonly string[]
): Promise<void> {
  await assertEnough(script, args(), ...purposes);
  const { all, own } = await namedFor(script, purposes);
  const outputs = await Promise.all(
    own.map((one) => endOf(script)(start(script, args(), all.filter((other) => other !== one)))),
  );
  for (const [i, one] of own.entries()) {
    const { code, stdout, stderr } = outputs[i];
    const what = `${script} ${purposes} without ${one}: ${stderr}`;
    assertEquals([code, stdout], [2, ""], what);
    assertEquals(
      stderr.trimEnd().split("\n").at(-1),
      `Cannot run this without ${one}: add it to 'deno run', or allow everything with -A (see --help)`,
      what,
    );
    assert(!/ at .*:\d+/.test(stderr), what);
  }
}

/** A test with a folder, in which there is a file of users, and tables that nobody has used. */
function folderTest(
  name: string,
  need: readonly Need[],
  fn: (context: { folder: string; users: string; table: () => string[] }) => Promise<void>,
): void {
  waitingTest({
    ...needing(name, ACCOUNT, ...need),
    fn: () =>
      withFolder(async (folder) => {
        const users = join(folder, "users.csv");
        await Deno.writeTextFile(users, "id,password\n1,swordfish\n2,mellon\n");
        const table = () => {
          const name = `permissions_${crypto.randomUUID().slice(0, 8)}`;
          return ["--table", name, "--create-table", "--cost", "4"];
        };
        await fn({ folder, users, table });
      }, DISK),
  });
}

/** A module with a function for `run.ts`. */
async function writeWork(folder: string): Promise<string> {
  const work = join(folder, "work.mjs");
  await Deno.writeTextFile(work, "export default () => ({ n: 1 });");
  return work;
}

/** Flags for a queue that nobody has used. */
async function queueFlags(nats: NatsServer, folder: string): Promise<string[]> {
  const key = join(folder, "key");
  await Deno.writeTextFile(key, "ab".repeat(32), { mode: 0o600 });
  return ["--nats", nats.url, "--key-file", key, "--create-stream"];
}

const LEAST = "runs with the permissions that --help names, and not with fewer";
const OWN_SERVER = "to start a server of its own";
const DATA_DIR = "for --data-dir";
const REJECTS = "for --rejects";
const QUICK = ["--cost", "4", "--repeat", "1"];
const DATABASE = allowed ? ["--database-url", databaseUrl()] : [];

folderTest(`bench.ts ${LEAST}`, [], async ({ folder }) => {
  const args = [...QUICK, "--count", "2", "--modes", "file,burst,pool", "--latency", "1"];
  await assertLeast("bench.ts", () => [...args, ...DATABASE]);
  const report = ["--report", join(folder, "page.html")];
  await assertLeast("bench.ts", () => [...args, ...report], OWN_SERVER, "for --report and --svg");
});

folderTest(`hash.ts ${LEAST}`, [], async ({ folder, users, table }) => {
  const rejects = ["--rejects", join(folder, "rejects.csv")];
  await assertLeast("hash.ts", () => [users, ...table(), ...DATABASE]);
  await assertLeast("hash.ts", () => [users, ...table(), ...DATABASE, ...rejects], REJECTS);
});

folderTest(`run.ts ${LEAST}`, [], async ({ folder, users, table }) => {
  const work = await writeWork(folder);
  await assertLeast("run.ts", () => [work, users, ...table().slice(0, 3), ...DATABASE]);
});

folderTest(`serve.ts ${LEAST}`, [], async ({ table }) => {
  await assertLeast("serve.ts", () => ["--port", "0", ...table(), ...DATABASE]);
  await assertEnough("serve.ts", ["--port", "0", "--cost", "4"], OWN_SERVER);
});

folderTest(`load.ts ${LEAST}`, [], async () => {
  // The cheaper a hash, the more connections there are under overload.
  const quick = ["--cost", "8", "--connections", "2", "--workers", "1", "--duration", "1"];
  await assertLeast("load.ts", () => [...quick, ...DATABASE]);
});

folderTest(`engines.ts ${LEAST}`, [], async () => {
  await assertLeast("engines.ts", () => [...QUICK, "--engines", "lanes", "--workers", "1"]);
});

folderTest(`each script of the queue ${LEAST}`, [NATS], async ({ folder, users, table }) => {
  await using nats = await NatsServer.start();
  const queue = await queueFlags(nats, folder);
  const rejects = ["--rejects", join(folder, "rejects.csv")];
  await assertLeast("enqueue.ts", () => [users, ...queue]);
  await assertEnough("enqueue.ts", [users, ...queue, ...rejects], REJECTS);
  const work = () => [...queue, "--until-empty", ...table()];
  await assertLeast("worker.ts", () => [...work(), ...DATABASE]);
  await assertLeast("status.ts", () => ["--nats", nats.url]);
});

Deno.test({
  name: "every script that can start a server of its own needs the same for it",
  ignore: !allowed,
  async fn() {
    for (const script of SCRIPTS) {
      const { always, more } = permissionsIn(await helpOf(script));
      const own = more.get(OWN_SERVER) ?? more.get(DATA_DIR);
      if (own === undefined) continue;
      assertEquals(
        new Set([...always, ...own]),
        new Set(["env", "net", "read", "run", "sys", "write"].map((name) => `--allow-${name}`)),
        script,
      );
    }
  },
});

// A cluster takes a second of processor time to create: the scripts share one, one after the other.
folderTest(
  "hash.ts and serve.ts work on one database by their defaults, and all with the permissions for --data-dir",
  [],
  async ({ folder, users, table }) => {
    const data = ["--data-dir", join(folder, "data")];
    const flags = ["--create-table", "--cost", "4", ...data];
    await assertEnough("hash.ts", [users, ...flags], DATA_DIR);
    const service = await served(start("serve.ts", ["--port", "0", ...flags], ["-A"]));
    assertEquals(service.code, 0, service.stderr);
    assertMatch(service.stdout, /^Listening on /);
    const to = [await writeWork(folder), users, ...table().slice(0, 3), ...data];
    const rejects = ["--rejects", join(folder, "rejects.csv")];
    await assertEnough("run.ts", [...to, ...rejects], REJECTS, DATA_DIR);
    if (!NATS.met) return;
    await using nats = await NatsServer.start();
    const queue = await queueFlags(nats, folder);
    await assertEnough("worker.ts", [...queue, "--until-empty", ...table(), ...data], DATA_DIR);
  },
);
