import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import type postgres from "postgres";
import { DATABASE, databaseUrl, withSchema } from "./_database.ts";
import { needing } from "./_needs.ts";
import { announced, snippets } from "./_snippets.ts";
import { waitingTest } from "./_waiting.ts";
import { JsrProject, readPackage } from "./fixtures/jsr.ts";

/** Imports programs one after the other, and prints what each has printed or thrown. */
const RUNNER = `for (const { file, url } of JSON.parse(Deno.args[0])) {
  const lines = [];
  const { log } = console;
  console.log = (...all) => void lines.push(...all.map(String).join(" ").split("\\n"));
  Deno.env.set("DATABASE_URL", url);
  const error = await import(file).then(() => null, (error) => Deno.inspect(error));
  console.log = log;
  console.log(JSON.stringify({ lines, error }));
}
`;

/** A test with a stranger's project and a schema. */
function projectTest(
  name: string,
  fn: (project: JsrProject, sql: postgres.Sql, schema: string) => Promise<void>,
): void {
  const run = async (sql: postgres.Sql, schema: string) => {
    await using project = await JsrProject.create();
    await fn(project, sql, schema);
  };
  waitingTest({ ...needing(name, DATABASE), fn: () => withSchema(run) });
}

projectTest("README.md and docs/ show snippets that run from JSR and print what they say", async (
  project,
  sql,
  schema,
) => {
  const shown = snippets();
  assert(shown.some(({ page }) => page === "README.md"));
  const files = await Promise.all(shown.map(async ({ page, file, code }, i) => {
    const beside = page.replaceAll(/\W/g, "_");
    await Deno.mkdir(join(project.folder, beside), { recursive: true });
    return await project.write(`${beside}/${file ?? `snippet_${i}.ts`}`, code);
  }));
  await project.write("runner.js", RUNNER);
  const checked = await project.deno("check", "--quiet", "--allow-import", ...files);
  assertEquals(checked.code, 0, checked.stderr);

  const programs = [...shown.keys()].filter((i) => shown[i].file === undefined);
  // Each has an empty database, as its reader has.
  const jobs = await Promise.all(programs.map(async (i) => {
    await sql`create schema ${sql(`${schema}_${i}`)}`;
    const url = new URL(databaseUrl());
    url.searchParams.set("search_path", `${schema}_${i}`);
    return { file: `file://${files[i]}`, url: url.href };
  }));
  const ran = await project.deno("run", "-A", "--no-check", "runner.js", JSON.stringify(jobs));
  for (const i of programs) await sql`drop schema ${sql(`${schema}_${i}`)} cascade`;
  const outputs = ran.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  for (const [j, i] of programs.entries()) {
    const { page, code } = shown[i];
    assertEquals(outputs[j], { lines: announced(code), error: null }, `${page}:\n${code}`);
  }
  assertEquals(ran.code, 0, ran.stderr);
});

waitingTest({
  ...needing("WorkPool and HashPool from JSR start workers with the least permissions"),
  async fn() {
    await using project = await JsrProject.create();
    await project.write("double.work.ts", "export default (n: number): number => 2 * n;\n");
    await project.write(
      "main.ts",
      `import { HashPool, WorkPool } from "@burst/batcher";
await using passwords = new HashPool({ cost: 4, workers: 1 });
const hash = await passwords.hash("swordfish");
console.log(hash.length, await passwords.verify("swordfish", hash));
await using pool = new WorkPool<typeof import("./double.work.ts")>(
  new URL("./double.work.ts", import.meta.url),
  { workers: 1 },
);
console.log(await pool.run(21).catch((error: Error) => error.message));
`,
    );
    const run = (...permissions: string[]) =>
      project.deno("run", "--no-prompt", ...permissions, "main.ts");
    const [with_, without] = [await run("--allow-read=double.work.ts"), await run()];
    assertEquals([with_.code, with_.stdout], [0, "60 true\n42\n"], with_.stderr);
    // What passwords are hashed with comes with the package, and needs no permission at all.
    const [hashed, refused] = without.stdout.split("\n");
    assertEquals(hashed, "60 true", without.stderr);
    assert(/Requires read access to ".*double\.work\.ts"/.test(refused), refused);
  },
});

projectTest(
  "burst, installed from JSR, hashes a file, runs a function, measures, and helps",
  async (
    project,
    sql,
    schema,
  ) => {
    const install = ["install", "--global", "--allow-all", "--name=burst", "--root=."];
    const installed = await project.deno(...install, "jsr:@burst/batcher/burst");
    assertEquals(installed.code, 0, installed.stderr);
    const program = join(project.folder, "bin", "burst");
    await project.write("users.csv", "id,password\n1,swordfish\n2,mellon\n");
    const table = `--table=${schema}.users`;
    const to = [table, "--create-table", "--cost=4", "--json", `--database-url=${databaseUrl()}`];
    const hashed = await project.run(program, "hash", "users.csv", ...to);
    assertEquals(hashed.code, 0, hashed.stderr);
    assertEquals(JSON.parse(hashed.stdout).saved, 2);
    assertEquals((await sql`select from users`).length, 2);
    const work = await project.write("one.mjs", "console.log(1); export default () => ({ n: 1 });");
    const ran = await project.run(program, "run", work, "users.csv", "--dry-run", "--json");
    assertEquals(ran.code, 0, ran.stderr);
    assertEquals(JSON.parse(ran.stdout).saved, 2);
    const help = await project.run(program, "hash", "--help");
    assert(help.stdout.includes("Usage: burst hash INPUT [flags]"), help.stdout);
    // With a proxy and workers, each a module of its own.
    const quick = ["--count=4", "--cost=4", "--repeat=1", "--modes=burst,pool", "--latency=1"];
    const measured = await project.run(
      program,
      "bench",
      ...quick,
      "--json",
      `--database-url=${databaseUrl()}`,
    );
    assertEquals(measured.code, 0, measured.stderr);
    assertEquals(JSON.parse(measured.stdout).version, 1);
    const alone = await project.deno("run", "-A", "jsr:@burst/batcher/status", "--nats=");
    assertEquals([alone.code, alone.stdout], [2, ""], alone.stderr);
  },
);

Deno.test({
  ...needing("the package on JSR has every file that its modules need, and no test"),
  async fn() {
    const { config, files } = await readPackage();
    const missing = Object.values(config.exports).filter((path) => !files.has(path.slice(1)));
    assertEquals(missing, []);
    const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    assert(bytes < 1_500_000, `${bytes} bytes`);
    assertEquals([...files.keys()].filter((path) => /test|std\//.test(path)), []);
  },
});
