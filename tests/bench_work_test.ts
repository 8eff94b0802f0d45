import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { bench, onDatabase, output, start, tables, test, withFile } from "./_bench.ts";
import { databaseUrl } from "./_database.ts";
import { runHere } from "./fixtures/script_here.ts";
import type { Report, Result } from "../scripts/bench/report.ts";
import { MODES } from "../scripts/bench/modes.ts";

/** Runs what comes to no connection, which would leave timers behind. */
const here = (...args: string[]) => runHere("bench.ts", args);

/** Runs the benchmark with files in a folder of their own, which `{}` in the arguments stands for. */
async function withFiles<T>(
  files: Record<string, string>,
  args: readonly string[],
  run: (...args: string[]) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    return await run(...args.map((arg) => arg.replace("{}", folder)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("--work measures a function in every mode, with the numbers from 0", async () => {
  const before = await tables();
  const { code, stdout, stderr } = await withFiles(
    { "my work.ts": "export default (n: number) => ({ n, root: Math.sqrt(n), none: null });" },
    ["--work", "{}/my work.ts", "--count", "70", "--repeat", "2", "--json"],
    onDatabase,
  );
  assertEquals([code, stderr], [0, ""]);
  const { version, work, results } = JSON.parse(stdout) as Report;
  assertEquals([version, work], [1, { kind: "module", name: "my work.ts" }]);
  assertEquals(
    results.map(({ mode, cost, count, rowsSaved }) => [mode, cost, count, rowsSaved]),
    MODES.map(({ name, sink }) => [name, null, 70, sink === "none" ? 0 : 70]),
  );
  assertEquals(await tables(), before);
});

test("--work calls the function with the rows of --input, and names those that it skips", async () => {
  const inputs: Record<string, [string, string[], number]> = {
    "rows.csv": ["id,text\n1,one\n2\n3,three\n", [
      "Skipping line 3: it has 1 field, and the header 2",
    ], 2],
    "rows.ndjson": ['{"text":"one","n":1.0}\n{"text":"two","n":2e0}\n', [], 2],
    "rows.json": ['[{"text":"one"},{"text":"two"},{"text":"three"}]', [], 3],
    "rows.txt": ["one\n\nthree", ["The last line"], 3],
  };
  // What is no text, or a number that is an object, is refused in the worker and here.
  const work = `export default ({ text, n }) => {
    if (typeof text !== "string" || !["undefined", "number"].includes(typeof n)) throw text;
    return text.length;
  };`;
  for (const [name, [text, notes, count]] of Object.entries(inputs)) {
    const { code, stdout, stderr } = await withFiles(
      { "work.js": work, [name]: text },
      ["--work", "{}/work.js", "--input", `{}/${name}`, "--repeat", "1", "--json"],
      (...args) => onDatabase(...args, "--modes", "serial,pool"),
    );
    assertEquals(code, 0, stderr);
    assertEquals((JSON.parse(stdout) as Report).results.map(({ rowsSaved }) => rowsSaved), [
      count,
      count,
    ]);
    if (notes[0]?.startsWith("Skipping")) assertEquals(stderr, `${notes[0]}\n`);
  }
});

test("--work reads as many rows as --count says", async () => {
  const count = (n: string) =>
    withFiles(
      { "work.js": "export default ({ text }) => text;", "rows.txt": "one\ntwo\nthree\n" },
      ["--work", "{}/work.js", "--input", "{}/rows.txt", "--count", n, "--repeat", "1", "--json"],
      (...args) => onDatabase(...args, "--modes", "burst"),
    );
  const two = await count("2");
  assertEquals([JSON.parse(two.stdout).results[0].rowsSaved, two.stderr], [2, ""]);
  const five = await count("5");
  assertEquals(JSON.parse(five.stdout).results[0].rowsSaved, 3);
  assertMatch(five.stderr, /^Computing 3 rows, not 5: '.*' has no more\n$/);
});

test("--work takes a module with setup() and many() and no default, and a result by chance", async () => {
  const work = `
    let ready = false;
    export async function setup() { await 1; ready = true; }
    export function many(tasks) {
      if (!ready) throw new Error("not set up");
      return tasks.map((n) => n + Math.random());
    }`;
  const { code, stdout } = await withFiles(
    { "work.js": work },
    ["--work", "{}/work.js", "--count", "40", "--repeat", "1", "--json"],
    onDatabase,
  );
  assertEquals(code, 0);
  for (const { sink, rowsSaved } of (JSON.parse(stdout) as Report).results) {
    assertEquals(rowsSaved, sink === "none" ? 0 : 40);
  }
});

test("--work calls teardown() in each thread, keeps what it prints off the report, and tells what it throws", async () => {
  const work = `export default (n) => n;
    export const teardown = () => {
      console.log("bye");
      Deno.stdout.writeSync(new TextEncoder().encode("bytes\\n"));
    };`;
  const args = ["--work", "{}/work.js", "--count", "3", "--workers", "1", "--modes", "pool"];
  // What a thread prints comes out of the process, and not through this isolate's console.
  const ended = await withFiles(
    { "work.js": work },
    [...args, "--repeat", "1", "--json", "--database-url", databaseUrl()],
    (...args) => output(start(args)),
  );
  // Where it was tried, in the pool, and on the main thread.
  assertEquals([ended.code, ended.stderr], [0, "bye\nbytes\n".repeat(3)]);
  assertEquals(JSON.parse(ended.stdout).results[0].rowsSaved, 3);
  const broken = await withFiles(
    { "work.js": work.replace('console.log("bye")', "throw new Error('no end')") },
    [...args, "--repeat", "1"],
    onDatabase,
  );
  assertEquals([broken.code, broken.stdout, broken.stderr], [
    1,
    "",
    "Cannot end the module as its teardown() threw Error: no end\n",
  ]);
});

test("--work prints a table and a page that speak of results, not of hashes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const page = join(folder, "page.html");
    const { code, stdout, stderr } = await withFiles(
      { "work.js": "export default (n) => n;" },
      ["--work", "{}/work.js", "--count", "9", "--repeat", "1", "--report", page],
      (...args) => onDatabase(...args, "--svg", join(folder, "svg")),
    );
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Each mode computes and saves the same items once");
    assertStringIncludes(stdout, "\nwork.js: 9 results of ");
    const html = await Deno.readTextFile(page);
    assertStringIncludes(html, "Each item is computed by work.js");
    assertStringIncludes(html, "CPU: computing");
    const words = html.replaceAll(/<style>.*?<\/style>/gs, "").replace(
      /(sha256-|base64,)[^'"]+/g,
      "",
    );
    for (const text of [stdout, words]) {
      const [hash] = /.{20}(hash|bcrypt|cost \d|null).{20}/is.exec(text) ?? [];
      assertEquals(hash, undefined);
    }
    const files = [...Deno.readDirSync(join(folder, "svg"))].map(({ name }) => name);
    assert(files.includes("timeline-0ms.svg"), `${files}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("--work compares with an earlier run", async () => {
  const args = ["--work", "{}/work.js", "--count", "5", "--repeat", "1", "--modes", "no-io,serial"];
  const files = { "work.js": "export default (n) => n;" };
  const { stdout } = await withFiles(files, [...args, "--json"], onDatabase);
  await withFile(stdout, async (path) => {
    const same = await withFiles(files, [...args, "--compare", path], onDatabase);
    assertStringIncludes(same.stdout, "wall time per result:\n\n");
    assertMatch(same.stdout, /\n {2}serial +– +0 ms /);
    const other = await onDatabase(
      ...["--cost", "4", "--count", "2", "--repeat", "1", "--modes", "serial", "--compare", path],
    );
    assertStringIncludes(other.stdout, "Nothing to compare");
  });
});

test("--work answers a module that cannot be used with one sentence and exit code 1", async () => {
  const cases: [string, RegExp][] = [
    ["export default (n => ", /no worker could be started: .*SyntaxError/],
    ["export const price = 1;", /no worker could be started: .*no export 'default', but 'price'/],
    ["export default 7;", /no worker could be started: .*must be a function: current value is 7/],
    ['throw new Error("broken");', /no worker could be started: .*Error: broken/],
    [
      'export const setup = () => { throw "no" }; export default () => 1;',
      /no worker could be started: .*"no"/,
    ],
    [
      "export default () => { throw new RangeError('two\\nlines'); };",
      /^Cannot compute item 0 as its function threw RangeError: two\n$/,
    ],
    ["export default () => undefined;", /^Cannot save the result of item 0 as it is undefined\n$/],
  ];
  for (const [work, message] of cases) {
    const { code, stdout, stderr } = await withFiles(
      { "work.js": work },
      ["--work", "{}/work.js", "--count", "5"],
      onDatabase,
    );
    assertEquals([code, stdout], [1, ""], work);
    assertMatch(stderr, message);
    assertMatch(stderr, /^[^\n]+\n$/);
  }
  assertEquals(await here("--work", "/no/such.ts"), {
    code: 1,
    stdout: "",
    stderr: "Cannot use the module '/no/such.ts' as there is no such file\n",
  });
});

test("--work names the row that fails in a run, whatever the mode, and leaves no table", async () => {
  const before = await tables();
  const text = Array.from({ length: 75 }, (_, i) => `row ${i + 1}\n`).join("");
  // Rows so far behind are not among those that warm up: fewer than forty, as the first takes long.
  const faults: [string, string, readonly string[]][] = [
    [
      "throw new RangeError('negative')",
      "Cannot compute LINE as its function threw RangeError: negative",
      MODES.map(({ name }) => name),
    ],
    ["return { f() {} }", "Cannot ", ["async", "pool"]],
    ["return NaN", "Cannot save the result of LINE as it has NaN in it", ["burst", "pool"]],
  ];
  for (const [fault, message, modes] of faults) {
    const work = `const never = new Int32Array(new SharedArrayBuffer(4));
    export default ({ text }) => {
      if (text === "row 1") Atomics.wait(never, 0, 0, 10);
      if (text === "row 61") ${fault};
      return text;
    };`;
    for (const name of modes) {
      const { code, stdout, stderr } = await withFiles(
        { "work.js": work, "rows.txt": text },
        ["--work", "{}/work.js", "--input", "{}/rows.txt", "--modes", name, "--repeat", "1"],
        (...args) => onDatabase(...args, "--latency", "0"),
      );
      assertEquals([code, stdout], [1, ""], name);
      const told = stderr.replace(/line 61 of '.*?rows\.txt'/, "LINE");
      assert(told.startsWith(message) && told.includes("LINE"), `${name}: ${stderr}`);
      assertMatch(stderr, /^[^\n]+\n$/);
    }
  }
  assertEquals(await tables(), before);
});

test("--workload hashes with another algorithm, and its parameters", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await onDatabase(...args, "--count", "4", "--repeat", "1");
    assertEquals([code, stderr], [0, ""]);
    return stdout;
  };
  const argon2 = ["--workload", "argon2", "--cost", "1,2", "--memory", "64", "--parallelism", "2"];
  const { work, results } = JSON.parse(await run(...argon2, "--json")) as Report;
  assertEquals(work, { kind: "passwords", name: "argon2id", memory: 64, parallelism: 2 });
  assertEquals(
    results.map(({ mode, cost, rowsSaved }: Result) => [mode, cost, rowsSaved]),
    [1, 2].flatMap((cost) => MODES.map(({ name, sink }) => [name, cost, sink === "none" ? 0 : 4])),
  );
  const scrypt = await run("--workload", "scrypt", "--cost", "4", "--modes", "serial,pool");
  assertStringIncludes(scrypt, "scrypt cost 4, parallelism 1: 4 hashes, no latency added");
});

test("--workload takes passwords that bcrypt does not", async () => {
  await withFile(`${"x".repeat(100)}\nshort\n`, async (path) => {
    const { code, stdout, stderr } = await onDatabase(
      ...["--workload", "scrypt", "--cost", "4", "--input", path, "--modes", "pool", "--json"],
    );
    assertEquals([code, stderr, JSON.parse(stdout).results[0].rowsSaved], [0, "", 2]);
  });
});

test("--workload and --work refuse what does not go together with exit code 2", async () => {
  const cases: [string[], string][] = [
    [["--memory", "64"], "bcrypt has no --memory: it goes with --workload argon2"],
    [
      ["--workload", "scrypt", "--memory", "64"],
      "scrypt has no --memory: it goes with --workload argon2",
    ],
    [
      ["--parallelism", "2"],
      "bcrypt has no --parallelism: it goes with --workload scrypt or argon2",
    ],
    [
      ["--workload", "scrypt", "--engine", "lanes"],
      "scrypt has no --engine: it goes with --workload bcrypt",
    ],
    [
      ["--workload", "scrypt", "--cost", "40"],
      "--cost must be a whole number from 1 to 30, not '40'",
    ],
    [["--cost", "four"], "--cost must be a whole number from 4 to 31, not 'four'"],
    [
      ["--workload", "argon2", "--memory", "1"],
      "--memory must be a whole number from 8 to 2097152, not '1'",
    ],
    [
      ["--workload", "sha"],
      "--workload must be bcrypt, scrypt or argon2, not 'sha'",
    ],
    [["--format", "csv"], "--format needs --work"],
    [["--work", "x.ts", "--format", "csv"], "--format needs an --input"],
    [
      ["--work", "x.ts", "--count", "1,2"],
      "--count has 2 numbers for one function: give one number",
    ],
    [
      ["--work", "x.ts", "--input", "rows"],
      "the name 'rows' does not tell the format: use --format with one of csv, ndjson, json, lines",
    ],
  ];
  for (const [args, why] of cases) {
    assertEquals(await here(...args), {
      code: 2,
      stdout: "",
      stderr: `Cannot run this as ${why}\n`,
    });
  }
  for (const flag of ["workload=bcrypt", "cost=4", "memory=64", "parallelism=1", "engine=lanes"]) {
    const { code, stderr } = await here("--work", "x.ts", `--${flag}`);
    const name = flag.split("=")[0];
    assertEquals([code, stderr], [
      2,
      `Cannot run this with both --work and --${name}: choose one\n`,
    ]);
  }
});

test("--work answers an input without a row with one sentence and exit code 1", async () => {
  for (const [name, text] of [["a.txt", ""], ["a.ndjson", "nonsense\n"]]) {
    const { code, stdout, stderr } = await withFiles(
      { "work.js": "export default (n) => n;", [name]: text },
      ["--work", "{}/work.js", "--input", `{}/${name}`],
      bench,
    );
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /Cannot use '.*' as it has no row that can be used\n$/);
  }
});
