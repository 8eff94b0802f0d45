import { assert, assertEquals } from "@std/assert";
import * as burst from "../mod.ts";
import { databaseTest, databaseUrl } from "./_database.ts";
import { needing } from "./_needs.ts";
import { pages, snippets } from "./_snippets.ts";
import { NATS } from "./fixtures/nats_server.ts";
import { runHere, type ScriptName } from "./fixtures/script_here.ts";

const ROOT = new URL("../", import.meta.url);

/** A heading's anchor, as GitHub makes it. */
function anchors(text: string): string[] {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test({
  ...needing("README.md is read in a few minutes, and shows the library in fifteen lines"),
  fn() {
    const lines = (text: string) => text.split("\n").filter((line) => line !== "").length;
    assert(pages.get("README.md")!.split("\n").length <= 151);
    const [{ code }] = snippets().filter(({ page }) => page === "README.md");
    assert(lines(code) <= 15, `${lines(code)} lines`);
  },
});

Deno.test({
  ...needing("docs/library.md describes every option of the batcher"),
  async fn() {
    const source = await Deno.readTextFile(new URL("_internal/batcher/options.ts", ROOT));
    const [, body] = /interface AsyncBatcherOptions<T[^>]*> \{([\s\S]*?)\n\}/.exec(source)!;
    const names = [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    assert(names.length > 10);
    const described = [...pages.get("docs/library.md")!.matchAll(/^\| `(\w+)` +\|/gm)];
    assertEquals(names.filter((name) => !described.some(([, found]) => found === name)), []);
  },
});

Deno.test({
  ...needing("docs/batcher.md makes the promises that are tested"),
  async fn() {
    const source = await Deno.readTextFile(new URL("tests/batcher_promises_test.ts", ROOT));
    const promises = [...source.matchAll(/^ {2}"(.*)": \(/gm)].map(([, promise]) => promise);
    assert(promises.length > 9);
    const text = pages.get("docs/batcher.md")!.replaceAll("`", "").replaceAll(/\s+/g, " ");
    assertEquals(promises.filter((promise) => !text.includes(`It ${promise}`)), []);
  },
});

/** The flags and permissions that the help of a script lists and its page does not. */
async function undescribed(script: ScriptName, page: string): Promise<string[]> {
  const { stdout } = await runHere(script, ["--help"]);
  const flags = [...stdout.matchAll(/^ {2}(--(?!allow-)[\w-]+)/gm)].map(([, flag]) => flag);
  assert(flags.length > 4, `${script}: ${stdout}`);
  const permissions = stdout.match(/--allow-\w+( --allow-\w+)*/g)!;
  const text = pages.get(page)!.replaceAll(/\s+/g, " ");
  const described = [...text.matchAll(/`(--[\w-]+)/g)].map(([, flag]) => flag);
  const known = new Set(["--help", ...described]);
  return [
    ...flags.filter((flag) => !known.has(flag)),
    ...permissions.filter((permission) => !text.includes(permission)),
  ].map((missing) => `${script} ${missing}`);
}

Deno.test({
  ...needing("docs/ describes every flag of the scripts"),
  async fn() {
    const missing = await Promise.all([
      undescribed("bench.ts", "docs/benchmark.md"),
      undescribed("engines.ts", "docs/hashing.md"),
      undescribed("hash.ts", "docs/jobs.md"),
      undescribed("load.ts", "docs/service.md"),
      undescribed("run.ts", "docs/run.md"),
      undescribed("serve.ts", "docs/service.md"),
    ]);
    assertEquals(missing.flat(), []);
  },
});

Deno.test({
  // Where there is no NATS, its client is not to be downloaded either.
  ...needing("docs/ describes every flag of the scripts for the queue", NATS),
  async fn() {
    const scripts = ["enqueue.ts", "worker.ts", "status.ts"] as const;
    const missing = scripts.map((script) => undescribed(script, "docs/queue.md"));
    assertEquals((await Promise.all(missing)).flat(), []);
  },
});

databaseTest("docs/service.md shows permissions with which serve.ts works", async (_, schema) => {
  const page = pages.get("docs/service.md")!;
  const [, unit] = /^ExecStart=\S+ (.*)$/m.exec(page)!;
  const command: string[] = JSON.parse(/^CMD (.*)$/m.exec(page)![1]);
  const words = [unit.split(" "), command.slice(1)];
  const flags = words.map((all) => all.slice(0, all.indexOf("scripts/serve.ts")));
  assertEquals(
    ...flags.map((all) => all.filter((one) => !one.startsWith("--allow-net="))) as [
      string[],
      string[],
    ],
  );
  const { hostname, port } = new URL(databaseUrl());
  const net = `--allow-net=127.0.0.1:0,${hostname}:${port || 5432}`;
  const args = flags[0].map((one) => one.startsWith("--allow-net=") ? net : one);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[...args, "scripts/serve.ts", "--port", "0", "--cost", "4"],
      ...["--create-table", "--table", `${schema}.users`],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", DATABASE_URL: databaseUrl() },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (stdout.includes("\n")) child.kill("SIGTERM");
  }
  assertEquals([(await child.status).code, /^Listening on/.test(stdout)], [0, true]);
});

Deno.test({
  ...needing("docs/ names everything that mod.ts exports"),
  fn() {
    const manual = [...pages].filter(([page]) => /^(README|docs)\b/.test(page));
    const words = new Set(manual.flatMap(([, text]) => text.match(/\w+/g)));
    assertEquals(Object.keys(burst).filter((name) => !words.has(name)), []);
  },
});

Deno.test({
  ...needing("CONTRIBUTING.md and docs/ name files that are there"),
  async fn() {
    const missing: string[] = [];
    for (const [page, text] of pages) {
      if (page === "CHANGELOG.md") continue;
      for (const [, path] of text.matchAll(/`([\w.-]+\/[\w./-]+\.ts)`/g)) {
        const info = await Deno.stat(new URL(path, ROOT)).catch(() => undefined);
        if (info === undefined) missing.push(`${page}: ${path}`);
      }
    }
    assertEquals(missing, []);
  },
});

Deno.test({
  ...needing("README.md and docs/ link to pages, headings and small pictures that are there"),
  async fn() {
    const broken: string[] = [];
    for (const [page, text] of pages) {
      for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const url = new URL(target, new URL(page, ROOT));
        const path = url.href.slice(ROOT.href.length).replace(/#.*/, "");
        const info = await Deno.stat(new URL(path, ROOT)).catch(() => undefined);
        const heading = url.hash.slice(1);
        if (info === undefined || (path.endsWith(".svg") && info.size > 150_000)) {
          broken.push(`${page}: ${target}`);
        } else if (heading !== "" && !anchors(pages.get(path)!).includes(heading)) {
          broken.push(`${page}: ${target}`);
        }
      }
    }
    assertEquals(broken, []);
  },
});

Deno.test({
  ...needing("every door says first what it is for, with an example, and fits in 80 columns"),
  async fn() {
    const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const doors = Object.values<string>(config.exports).filter((path) => !/scripts/.test(path));
    const wide: string[] = [];
    for (const door of doors) {
      const text = await Deno.readTextFile(new URL(door, ROOT));
      const [, start] = /^\/\*\*\n([\s\S]*?)\*\//.exec(text)!;
      assert(/^ \* [A-Z][\s\S]*\n \* @example .*\n \* ```ts\n[\s\S]* @module\n/.test(start), door);
      const examples = [...text.matchAll(/^ *\* ```ts[\s\S]*?\* ```$/gm)].flat().join("\n");
      const lines = examples.split("\n").map((line) => line.replace(/^ *\* ?/, ""));
      wide.push(...lines.filter((line) => line.length > 80).map((line) => `${door}: ${line}`));
    }
    assertEquals(wide, []);
  },
});
