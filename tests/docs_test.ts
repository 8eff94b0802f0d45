import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { databaseTest, databaseUrl } from "./_database.ts";
import { allowed } from "./_permissions.ts";
import { NATS } from "./fixtures/nats_server.ts";

const ROOT = new URL("../", import.meta.url);

/** The pages that people read, by their paths, without what is not read or not ours. */
const pages = new Map<string, string>();
if (allowed) {
  const names = [...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`);
  const atTop = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"];
  for (const path of [...atTop, ...names.filter((name) => name.endsWith(".md")).sort()]) {
    pages.set(path, await Deno.readTextFile(new URL(path, ROOT)));
  }
}

interface Snippet {
  page: string;
  /** The file it is shown as, where its first line is a comment with nothing but a name. */
  file: string | undefined;
  code: string;
}

function snippets(): Snippet[] {
  return [...pages].flatMap(([page, text]) =>
    [...text.matchAll(/^```(?:ts|js)[^\n]*\n([\s\S]*?)^```/gm)].map(([, code]) => ({
      page,
      file: /^\/\/ ([\w.]+\.[jt]s)\n/.exec(code)?.[1],
      code,
    }))
  );
}

/** What it says that it prints: the comments behind its calls of `console.log()`. */
function announced(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, output]) => output);
}

async function deno(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A heading's anchor, as GitHub makes it. */
function anchors(text: string): string[] {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

databaseTest("README.md and docs/ show snippets that run and print what they say", async (
  sql,
  schema,
) => {
  const shown = snippets();
  assert(shown.some(({ page }) => page === "README.md"));
  const folder = await Deno.makeTempDir();
  try {
    const files = await Promise.all(shown.map(async ({ page, file, code }, i) => {
      const beside = `${folder}/${page.replaceAll(/\W/g, "_")}`;
      await Deno.mkdir(beside, { recursive: true });
      const path = `${beside}/${file ?? `snippet_${i}.ts`}`;
      await Deno.writeTextFile(path, code);
      return path;
    }));
    const config = ["--config", fileURLToPath(new URL("deno.json", ROOT))];
    const checked = await deno(["check", ...config, ...files]);
    assertEquals(checked.code, 0, checked.stderr);
    const ran = await Promise.all(shown.map(async ({ file }, i) => {
      if (file !== undefined) return undefined;
      // Each has an empty database, as its reader has.
      const own = `${schema}_${i}`;
      await sql`create schema ${sql(own)}`;
      const url = new URL(databaseUrl());
      url.searchParams.set("search_path", own);
      const output = await deno(["run", "-A", "--no-check", ...config, files[i]], {
        DATABASE_URL: url.href,
      });
      await sql`drop schema ${sql(own)} cascade`;
      return output;
    }));
    for (const [i, output] of ran.entries()) {
      if (output === undefined) continue;
      const { page, code } = shown[i];
      const printed = output.stdout.split("\n").filter((line) => line !== "");
      assertEquals(
        [output.code, printed],
        [0, announced(code)],
        `${page}:\n${code}\n${output.stderr}`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "README.md is read in a few minutes, and shows the library in fifteen lines",
  ignore: !allowed,
  fn() {
    const lines = (text: string) => text.split("\n").filter((line) => line !== "").length;
    assert(pages.get("README.md")!.split("\n").length <= 151);
    const [{ code }] = snippets().filter(({ page }) => page === "README.md");
    assert(lines(code) <= 15, `${lines(code)} lines`);
  },
});

Deno.test({
  name: "docs/library.md describes every option of the batcher",
  ignore: !allowed,
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
  name: "docs/ describes every flag of the scripts",
  ignore: !allowed,
  async fn() {
    const scripts = [
      ["bench.ts", "benchmark.md"],
      ["engines.ts", "hashing.md"],
      ["hash.ts", "jobs.md"],
      ["load.ts", "service.md"],
      ["serve.ts", "service.md"],
      // Where there is no NATS, its client is not to be downloaded either.
      ...(NATS.met ? ["enqueue.ts", "worker.ts", "status.ts"] : [])
        .map((script) => [script, "queue.md"]),
    ];
    await Promise.all(scripts.map(async ([script, page]) => {
      const path = fileURLToPath(new URL(`scripts/${script}`, ROOT));
      const { stdout } = await deno(["run", "-A", path, "--help"]);
      const flags = [...stdout.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag);
      assert(flags.length > 4, stdout);
      const described = pages.get(`docs/${page}`)!.matchAll(/`(--[\w-]+)/g);
      const known = new Set(["--help", ...[...described].map(([, flag]) => flag)]);
      assertEquals(flags.filter((flag) => !known.has(flag)), [], `${script} in docs/${page}`);
    }));
  },
});

Deno.test({
  name: "README.md and docs/ link to pages, headings and small pictures that are there",
  ignore: !allowed,
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
