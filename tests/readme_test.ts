import { assert, assertEquals, assertMatch } from "@std/assert";
import { databaseUrl } from "./_database.ts";
import { allowed } from "./_permissions.ts";
import { NATS } from "./fixtures/nats_server.ts";

const ROOT = new URL("../", import.meta.url);

async function readme(): Promise<string> {
  return await Deno.readTextFile(new URL("README.md", ROOT));
}

/** The first block of code behind a heading. */
function codeAfter(text: string, heading: string): string {
  const [, section] = text.split(`\n## ${heading}\n`);
  return /```ts[^\n]*\n([\s\S]*?)```/.exec(section)![1];
}

Deno.test({
  name: "README.md shows the library in fifteen lines that run",
  ignore: !allowed,
  async fn() {
    const code = codeAfter(await readme(), "The library");
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    assert(lines.length <= 15, `${lines.length} lines`);
    const table = `burst_readme_${crypto.randomUUID().slice(0, 8)}`;
    const program = code
      .replaceAll(/"@burst\/batcher"/g, JSON.stringify(new URL("mod.ts", ROOT).href))
      .replaceAll(/\busers\b/g, table)
      .replace("await sql.end", `await sql\`drop table ${table}\`;\nawait sql.end`);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--config", new URL("deno.json", ROOT).pathname, "-"],
      env: { DATABASE_URL: databaseUrl() },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
    const { code: exitCode, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    assertEquals(
      [exitCode, decoder.decode(stdout)],
      [0, "3 saved, 0 not\n"],
      decoder.decode(stderr),
    );
  },
});

Deno.test({
  name: "README.md describes every option of the batcher with its default",
  ignore: !allowed,
  async fn() {
    const text = await readme();
    const source = await Deno.readTextFile(new URL("_internal/batcher/options.ts", ROOT));
    const [, body] = /interface AsyncBatcherOptions<T> \{([\s\S]*?)\n\}/.exec(source)!;
    const names = [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    assertEquals(names.length > 10, true);
    for (const name of names) assertMatch(text, new RegExp(`^\\| \`${name}\` +\\|`, "m"));
  },
});

Deno.test({
  name: "README.md describes every flag of the scripts",
  ignore: !allowed,
  async fn() {
    const text = await readme();
    const scripts = [
      ["bench.ts", "Run it"],
      ["hash.ts", "The job"],
      ["serve.ts", "The service"],
      // Where there is no NATS, its client is not to be downloaded either.
      ...(NATS.met ? ["enqueue.ts", "worker.ts", "status.ts"] : [])
        .map((script) => [script, "Many machines"]),
    ];
    for (const [script, heading] of scripts) {
      const [section] = text.split(`\n## ${heading}\n`)[1].split("\n## ");
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", new URL(`scripts/${script}`, ROOT).pathname, "--help"],
      }).output();
      const flags = [...new TextDecoder().decode(stdout).matchAll(/^ {2}(--[\w-]+)/gm)];
      assert(flags.length > 4);
      for (const [, flag] of flags) {
        if (flag === "--help") continue;
        assert(section.includes(`\`${flag}`), `${flag} of ${script} is not described`);
      }
    }
  },
});

Deno.test({
  name: "README.md shows figures that are there, and small",
  ignore: !allowed,
  async fn() {
    const figures = [...(await readme()).matchAll(/\]\((docs\/[^)]+)\)/g)];
    assert(figures.length > 0);
    for (const [, path] of figures) {
      const { size } = await Deno.stat(new URL(path, ROOT));
      assert(size < 150_000, `${path} has ${size} bytes`);
    }
  },
});
