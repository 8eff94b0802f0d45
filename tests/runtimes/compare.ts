/**
 * Runs the library's own tests of behaviour in Node 22, Node 24 and Bun, on the package that npm's
 * users of JSR get, and prints what passed where.
 *
 * ```sh
 * deno run -A --no-lock tests/runtimes/compare.ts
 * ```
 *
 * With `DATABASE_URL` the tests of the writer run too. Names of doors or runtimes leave the others
 * out: `compare.ts "Node 22" pool batcher`.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeNpmPackage, toJavaScript } from "./npm_package.ts";

const TESTS = fileURLToPath(import.meta.resolve("../"));

/** The doors, and the names that the files of their tests begin with. */
const DOORS = {
  batcher: /^(batcher|retry)_.*test/,
  pool: /^pool_.*test/,
  "hash-pool": /^(hash_pool|bcrypt_lanes)_.*test/,
  workload: /^workload_test/,
  pipeline: /^pipeline_.*test/,
  postgres: /^postgres_.*test/,
};

const NPX = ["npx", "--yes"];
const RUNTIMES = {
  "Node 22": [...NPX, "--package=node@22", "node"],
  "Node 24": [...NPX, "--package=node@24", "node"],
  "Bun": [...NPX, "bun@1"],
};

/** Tests that say how Deno itself does something, or that a runtime cannot pass, and why. */
const EXCEPTIONS: readonly (readonly [runtimes: RegExp, test: RegExp, why: string])[] = [
  [/Node/, /no unhandled rejection beside/, "it listens as in a browser"],
  [/Node/, /does nothing in a worker of the user's/, "Node has no Worker of the web"],
  [/Node/, /what node:crypto gives for the same salt/, "the test uses Uint8Array.fromBase64"],
  [/./, /leaves no timer/, "it asks Deno for the timers"],
  [/./, /function does "denoExit"/, "it calls Deno.exit()"],
  [/./, /brings over an error with its class/, "it looks for a line of TypeScript in the stack"],
  [/./, /module is of no use: (Module not found|SyntaxError)/, "the sentence is Deno's"],
  [/Bun/, /heap flat/, "the collector cannot be asked in V8's way"],
  [/Bun/, /fills the memory/, "Bun has no limit for the heap of a worker"],
  [
    /Bun/,
    /sets up each worker|many\(\)|of one kind|in transfer/,
    "Bun does not load the modules from data: URLs that it uses",
  ],
];

/** What a test came to, as `run_tests.js` prints it. */
interface Result {
  readonly file: string;
  readonly name: string;
  /** `"deno"`: it needs what only Deno has. */
  readonly outcome: "ok" | "failed" | "ignored" | "deno" | "expected";
  readonly why?: string;
}

/** Writes package, tests and what both need into a folder. */
async function prepare(folder: string): Promise<void> {
  await makeNpmPackage(folder);
  await copyTests("", folder, /^(_.*|.*_test)\.ts$/);
  await copyTests("fixtures", folder, /\.ts$/);
  for (const name of ["not_deno.js", "run_tests.js"]) {
    await Deno.mkdir(join(folder, "tests/runtimes"), { recursive: true });
    await Deno.copyFile(join(TESTS, "runtimes", name), join(folder, "tests/runtimes", name));
  }
  const { imports } = JSON.parse(await Deno.readTextFile(join(TESTS, "../deno.json")));
  const needed = ["fast-check", "@sinonjs/fake-timers"]
    .map((name) => imports[name].replace("npm:", ""));
  const install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save"];
  await run([...install, ...needed], folder);
  const assert = join(folder, "node_modules/@std/assert");
  await Deno.mkdir(assert, { recursive: true });
  for await (const { name } of Deno.readDir(join(TESTS, "../std/assert"))) {
    if (!name.endsWith(".ts")) continue;
    const code = toJavaScript(await Deno.readTextFile(join(TESTS, "../std/assert", name)));
    const to = join(assert, name.replace(/\.ts$/, ".js"));
    await Deno.writeTextFile(to, withoutDeno(code, "../../../tests"));
  }
  const json = { name: "@std/assert", version: "1.0.0", type: "module", exports: "./mod.js" };
  await Deno.writeTextFile(join(assert, "package.json"), JSON.stringify(json));
}

/** Tests find the modules that they load by names that end with `.ts`. */
async function copyTests(path: string, folder: string, names: RegExp): Promise<void> {
  await Deno.mkdir(join(folder, "tests", path), { recursive: true });
  for await (const { name } of Deno.readDir(join(TESTS, path))) {
    if (!names.test(name)) continue;
    const code = toJavaScript(await Deno.readTextFile(join(TESTS, path, name)))
      .replaceAll(/(?<!\/work)\.ts(?=["`])/g, ".js");
    const to = join(folder, "tests", path, name.replace(/\.ts$/, ".js"));
    await Deno.writeTextFile(to, withoutDeno(code, path === "" ? "." : ".."));
  }
}

/** A module that meets `not_deno.js` where it speaks of Deno; the library itself must not. */
function withoutDeno(code: string, tests: string): string {
  if (!/\bDeno\./.test(code)) return code;
  return `import { Deno } from "${tests}/runtimes/not_deno.js";\n${code}`;
}

async function run(command: readonly string[], cwd: string): Promise<string> {
  const [program, ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    const said = decoder.decode(stdout).slice(-500) + decoder.decode(stderr).slice(-2000);
    throw new Error(`${command.slice(0, 4).join(" ")} … ended with ${code}:\n${said}`);
  }
  return decoder.decode(stdout);
}

/** The tests of a door in a runtime. */
async function testsOf(
  door: RegExp,
  runtime: keyof typeof RUNTIMES,
  folder: string,
): Promise<Result[]> {
  const files = [...Deno.readDirSync(join(folder, "tests"))].map(({ name }) => name)
    .filter((name) => door.test(name)).sort();
  const output = await run([...RUNTIMES[runtime], "tests/runtimes/run_tests.js", ...files], folder);
  return output.split("\n").filter((line) => line.startsWith('{"file"'))
    .map((line) => judged(JSON.parse(line), runtime));
}

function judged(result: Result, runtime: string): Result {
  const exception = EXCEPTIONS.find(([runtimes, test]) =>
    runtimes.test(runtime) && test.test(result.name)
  );
  if (exception === undefined || result.outcome !== "failed") return result;
  return { ...result, outcome: "expected", why: exception[2] };
}

function cell(results: readonly Result[]): string {
  const count = (outcome: Result["outcome"]) =>
    results.filter((result) => result.outcome === outcome).length;
  const parts = [`${count("ok")} passed`];
  if (count("failed") > 0) parts.push(`${count("failed")} FAILED`);
  const left = count("deno") + count("expected");
  if (left > 0) parts.push(`${left} not for it`);
  if (count("ignored") > 0) parts.push(`${count("ignored")} ignored`);
  return parts.join(", ");
}

/** Those that the command line names, or all. */
function chosen<T extends string>(all: Readonly<Record<T, unknown>>): T[] {
  const names = Object.keys(all) as T[];
  const named = names.filter((name) => Deno.args.includes(name));
  return named.length === 0 ? names : named;
}

const folder = await Deno.makeTempDir({ prefix: "burst-" });
let failed = 0, passed = 0;
try {
  await prepare(folder);
  const notes: string[] = [];
  for (const door of chosen(DOORS)) {
    if (door === "postgres" && !Deno.env.get("DATABASE_URL")) {
      console.log("postgres: left out without DATABASE_URL");
      continue;
    }
    for (const runtime of chosen(RUNTIMES)) {
      const results = await testsOf(DOORS[door], runtime, folder);
      console.log(`${door.padEnd(10)} ${runtime.padEnd(8)} ${cell(results)}`);
      passed += results.filter(({ outcome }) => outcome === "ok").length;
      for (const { outcome, name, why } of results) {
        if (outcome === "failed") failed++;
        if (outcome === "failed") notes.push(`FAILED, ${runtime}: ${name}\n  ${why}`);
        if (outcome === "expected") notes.push(`not for ${runtime}: ${name}: ${why}`);
        if (outcome === "deno") {
          notes.push(`not for ${runtime}: ${name}: it needs ${why?.split("\n")[0].slice(7)}`);
        }
      }
    }
  }
  if (notes.length > 0) console.log(`\n${notes.join("\n")}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
console.log(`${failed === 0 ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed`);
Deno.exitCode = failed === 0 ? 0 : 1;
