import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { rowMaker, typeOf } from "../scripts/run/results.ts";
import { account, type FileContext, fileTest, linesIn } from "./_hash.ts";
import { csv, range } from "./_users.ts";
import { runHere } from "./fixtures/script_here.ts";
import { HashRun, type Output, until } from "./fixtures/hash_run.ts";

const SCORE = `export default (row) => {
  if (row.text === "throw") throw new Error("a bad one");
  if (row.text === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (row.text === "exit") Deno.exit(0);
  if (row.text === "uncloneable") return { score: () => 1, words: [] };
  if (row.text === "number") return 1;
  if (row.text === "nothing") return undefined;
  if (row.text === "null") return null;
  if (row.text === "few") return { score: 1 };
  if (row.text === "many") return { score: 1, words: [], more: 1 };
  if (row.text === "id") return { id: 7, score: 1, words: [] };
  if (row.text === "undefined") return { score: undefined, words: [] };
  if (row.text === "fraction") return { score: 1.5, words: [] };
  return { score: row.text.length, words: row.text.split(" ") };
};`;

/** A test with a module. */
function runTest(
  name: string,
  fn: (
    context: FileContext & {
      work: string;
      run: (args: readonly string[]) => Promise<Output>;
    },
  ) => Promise<void>,
): void {
  fileTest(`run.ts ${name}`, ["--workers", "1", "--json"], async (context) => {
    await fn({
      ...context,
      work: await context.file("score.mjs", SCORE),
      run: (args) => runHere("run.ts", args),
    });
  });
}

const onTwoWorkers = (flags: readonly string[]) => flags.with(flags.indexOf("--workers") + 1, "2");

const rowsOf = (texts: readonly string[]) =>
  "id,text\n" + texts.map((text, i) => `${i + 1},${text}\n`).join("");

runTest(
  "saves what the function returns, in a table of its types, and resumes",
  async (context) => {
    const { sql, file, flags, work, run } = context;
    const path = await file("texts.csv", rowsOf(["one", "two words", "null"]));
    const first = await run([work, path, ...flags, "--create-table"]);
    assertEquals([first.code, account(first.stdout)], [0, {
      ...{ read: 3, saved: 2, skipped: 1, computed: 3 },
    }], first.stderr);
    assertMatch(
      first.stderr,
      /^Creating table '.*': "id" text primary key, "score" bigint, "words" text\[\]\n$/,
    );
    const rows = await sql`select id, score::int, words from users order by id`;
    assertEquals(rows.map(({ id, score, words }) => [id, score, words]), [
      ["1", 3, ["one"]],
      ["2", 9, ["two", "words"]],
    ]);
    await Deno.writeTextFile(path, rowsOf(["one", "two words", "null", "four"]));
    const again = await run([work, path, ...flags]);
    assertEquals([again.code, account(again.stdout)], [0, {
      ...{ read: 4, saved: 1, skipped: 3, computed: 2 },
    }], again.stderr);
  },
);

runTest(
  "rejects what has no result that fits, by its line, and saves the rest",
  async (context) => {
    const { sql, file, flags, work, run } = context;
    const texts = [
      ...[
        "good",
        "throw",
        "block",
        "exit",
        "uncloneable",
        "number",
        "nothing",
        "few",
        "many",
        "id",
      ],
      ...["undefined", "fraction", "good"],
    ];
    const path = await file("texts.csv", rowsOf(texts));
    const rejects = await file("rejects.ndjson", "");
    await sql`create table users (id int primary key, score int, words text[])`;
    const { code, stdout } = await run([
      ...[work, path, ...onTwoWorkers(flags)],
      ...["--timeout", "3", "--rejects", rejects],
    ]);
    assertEquals([code, account(stdout).saved, account(stdout).rejected], [1, 2, 11]);
    assertEquals((await sql`select id from users order by id`).map(({ id }) => id), [1, 13]);
    const lines = (await linesIn(rejects)).map((line) => JSON.parse(line)).sort((a, b) =>
      a.line - b.line
    );
    assertEquals(lines.map(({ line }) => line), range(11).map((i) => i + 2));
    const reasons = lines.map(({ reason }) => reason);
    assertStringIncludes(reasons[0], "a bad one");
    assertStringIncludes(reasons[1], "3000 ms");
    assertEquals(reasons.slice(4, 10), [
      "its result must be an object or null, not a number",
      "its result must be an object or null, not undefined",
      "its result has no column 'words'",
      "its result has a column 'more', which the table does not have",
      "its result changes column 'id', which is that of the id",
      "its result is undefined in column 'score'",
    ]);
  },
);

runTest(
  "saves a column that the first result lacked, and leaves the default before",
  async (context) => {
    const { sql, file, flags, run } = context;
    await sql`create table users (id int primary key, n int not null, note text default 'none')`;
    const work = await file(
      "notes.mjs",
      "export default ({ id }) => id === '1' ? { n: 1 } : { n: 2, note: 'some' };",
    );
    const path = await file("rows.csv", "id\n1\n2\n3\n");
    const { code, stderr } = await run([work, path, ...flags]);
    assertEquals(code, 0, stderr);
    const notes = (await sql`select note from users order by id`).map(({ note }) => note);
    assertEquals(notes, ["none", "some", "some"]);
  },
);

runTest("--dry-run prints the first results, and needs no database", async (context) => {
  const { file, work, run } = context;
  const path = await file("texts.txt", "one\ntwo words\n");
  const { code, stdout, stderr } = await run([work, path, "--dry-run", "--workers", "1"]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, '{ id: 1, score: 3, words: [ "one" ] }\n');
  assertMatch(stdout, /^saved +2 +would have been: this is a dry run$/m);
});

runTest("refuses what cannot work with one sentence, before anything is read", async (context) => {
  const { sql, file, flags, work, run } = context;
  const path = await file("texts.csv", rowsOf(["one"]));
  const noExport = await file("none.mjs", "export const score = 1;");
  const broken = await file("broken.mjs", "export default (");
  const aClass = await file("class.mjs", "export default class Score {}");
  const stray = await file("stray.mjs", `Promise.reject(new Error("a\\n\\x1b[31mb")); ${SCORE}`);
  await sql`create table users (id int, score int)`;
  const cases: [args: string[], code: number, sentence: RegExp][] = [
    [[], 2, /^Cannot run this without a WORK, the module with your function: see --help\n$/],
    [[work], 2, /^Cannot run this without an INPUT: see --help\n$/],
    [[work, path, "--database-url", flags[1]], 2, /^Cannot run this without a table: /],
    [[`${work}.missing`, path, ...flags], 1, /missing/],
    [[noExport, path, ...flags], 1, /default/],
    [[broken, path, ...flags], 1, /broken\.mjs/],
    [[aClass, path, ...flags], 1, /'default' of the module must be a function: .* is a class\n$/],
    [[stray, path, ...flags], 1, /the worker had an error that nobody caught, Error: a b\n$/],
    [["https:", path, ...flags], 2, /^Cannot run this as 'https:' is no address of a module\n$/],
    [[work, path, ...flags], 1, /has no unique constraint on \(id\)\n$/],
    [
      [work, path, ...flags.map((flag) => flag.endsWith(".users") ? `${flag}2` : flag)],
      1,
      /there is no table '.*users2': use --create-table, or check --table\n$/,
    ],
  ];
  for (const [args, expected, sentence] of cases) {
    const { code, stdout, stderr } = await run(args);
    assertEquals([code, stdout], [expected, ""], stderr);
    assertMatch(stderr, sentence);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  await sql`alter table users alter id type real, add primary key (id)`;
  const { code: refused, stderr: why } = await run([work, path, ...flags]);
  assertEquals(refused, 1);
  assertMatch(why, /^Cannot save rows as column 'id' .* has the type real, which rounds [^\n]*\n$/);
  // Here there may be one in the environment.
  await using elsewhere = new HashRun([work, path], {}, "run.ts");
  const { code, stdout, stderr } = await elsewhere.output();
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^Cannot run this without a database: [^\n]*\n$/);
});

runTest(
  "prints what the function logs to the standard error, beside the account",
  async (context) => {
    const { file } = context;
    const work = await file(
      "log.mjs",
      `console.log("loaded"); export default (row) => {
        console.log("at", row.id);
        console.count("counted");
        process.stdout.write("written\\n");
        Deno.stdout.writeSync(new TextEncoder().encode("bytes\\n"));
        return { n: 1 };
      };`,
    );
    const path = await file("a.csv", "id\n7\n");
    // What threads print goes past the test's own console.
    await using run = new HashRun(
      [work, path, "--dry-run", "--json", "--workers", "1"],
      {},
      "run.ts",
    );
    const { code, stdout, stderr } = await run.output();
    assertEquals([code, stderr], [0, "loaded\nat 7\ncounted: 1\nwritten\nbytes\n"]);
    assertEquals(account(stdout), { read: 1, saved: 1, computed: 1 });
  },
);

for (const [ids, type] of [["0.1 1.5", "numeric"], ['1.5 "1.50"', "text"]]) {
  runTest(`creates a column for the ids ${ids} that keeps each, and resumes`, async (context) => {
    const { file, flags, work, run } = context;
    const lines = ids.split(" ").map((id) => `{"id":${id},"text":"a"}\n`);
    const path = await file("texts.ndjson", lines.join(""));
    const first = await run([work, path, ...flags, "--create-table"]);
    assertMatch(first.stderr, new RegExp(`"id" ${type} primary key`));
    const { code, stdout, stderr } = await run([work, path, ...flags]);
    assertEquals([code, account(stdout)], [0, { read: 2, skipped: 2 }], stderr);
  });
}

runTest("does what is missing after it was killed, each row once", async (context) => {
  const { sql, file } = context;
  const flags = onTwoWorkers(context.flags);
  await sql`create table users (id int primary key, length int)`;
  const work = await file(
    "length.mjs",
    `const never = new Int32Array(new SharedArrayBuffer(4));
    export default ({ password }) => {
      Atomics.wait(never, 0, 0, 2);
      return { length: password.length };
    };`,
  );
  const path = await file("users.csv", csv(range(600)));
  const count = async () => (await sql`select from users`).length;
  for (let i = 0; i < 2; i++) {
    await using run = new HashRun([work, path, ...flags], {}, "run.ts");
    const enough = await count() + 100;
    await until(async () => await count() >= enough || !await run.running);
    run.kill("SIGKILL");
    await run.output();
  }
  const before = await count();
  assert(before >= 200);
  await using last = new HashRun([work, path, ...flags], {}, "run.ts");
  const { code, stdout } = await last.output();
  const { read, saved = 0, skipped } = account(stdout);
  assertEquals([code, read, saved + skipped], [0, 600, 600]);
  assert(skipped >= before);
  assertEquals(await count(), 600);
});

Deno.test("rowMaker() takes a later column that the table has, and misses none that was there", () => {
  const makeRow = rowMaker("id", [
    { name: "id", required: true },
    { name: "a", required: true },
    { name: "b", required: false },
  ]);
  assertThrows(() => makeRow(1, { b: 1 }), Error, "its result has no column 'a'");
  assertEquals(makeRow(2, { a: 1 }), { id: 2, a: 1 });
  assertEquals(makeRow(3, { b: 2, a: 1 }), { id: 3, b: 2, a: 1 });
  assertThrows(() => makeRow(4, { a: 1 }), Error, "its result has no column 'b'");
  assertThrows(() => makeRow(5, { a: 1, b: 1, c: 1 }), Error, "'c', which the table does not have");
});

Deno.test("rowMaker() takes the columns of the first result where there is no table yet", () => {
  const makeRow = rowMaker("id", undefined);
  assertThrows(() => makeRow(1, {}), Error, "its result has no columns");
  assertEquals(makeRow(2, { a: null }), { id: 2, a: null });
  assertThrows(() => makeRow(3, { a: 1, b: 1 }), Error, "'b', which the first one does not have");
  assertEquals(makeRow(4, { a: 1 }), { id: 4, a: 1 });
});

Deno.test("rowMaker() takes a result that repeats the id, and none that changes it", () => {
  const makeRow = rowMaker("id", undefined);
  assertEquals(makeRow(7, { id: "7", a: 1 }), { id: 7, a: 1 });
  assertThrows(() => makeRow(7, { id: 8, a: 1 }), Error, "its result changes column 'id'");
  assertThrows(() => makeRow(7, { id: undefined, a: 1 }), Error, "its result changes column 'id'");
  assertThrows(() => makeRow(7, { id: 7 }), Error, "its result has no columns");
});

Deno.test("rowMaker() takes nothing that a new table has no type for, and lets a known one tell", () => {
  const odd = [new Map(), new Set(), new Float64Array(1), /a/, () => 1, Symbol()];
  for (const a of odd) {
    assertThrows(
      () => rowMaker("id", undefined)(1, { a }),
      Error,
      "in column 'a', which --create-table has no type for",
    );
    assertEquals(rowMaker("id", [{ name: "a", required: false }])(1, { a }), { id: 1, a });
  }
  const result = { a: { b: 1 }, c: [new Map()], d: new Uint8Array(1), e: new Date(NaN), f: NaN };
  assertEquals(rowMaker("id", undefined)(1, result), { id: 1, ...result });
});

runTest("rejects a result that JSON cannot hold, and saves the others", async (context) => {
  const { sql, file, flags, run } = context;
  const work = await file(
    "odd.mjs",
    `const docs = [1, "a", new Map(), { a: [new Set()] }, { a: NaN }, { a: "b\\0" }];
    export default ({ id }) => ({ doc: docs[id] });`,
  );
  const path = await file("rows.csv", "id\n0\n1\n2\n3\n4\n5\n");
  const rejects = await file("rejects.ndjson", "");
  const { code, stdout } = await run([
    work,
    path,
    ...flags,
    "--create-table",
    "--rejects",
    rejects,
  ]);
  assertEquals([code, account(stdout)], [1, { read: 6, saved: 2, rejected: 4, computed: 5 }]);
  assertEquals((await sql`select doc from users order by id`).map(({ doc }) => doc), [1, "a"]);
  const reasons = (await linesIn(rejects)).map((line) => JSON.parse(line).reason).sort();
  assertEquals(reasons, [
    "Cannot save a row as column 'doc' has NaN in it, which JSON cannot hold",
    "Cannot save a row as column 'doc' has a NUL character in it, which PostgreSQL cannot store",
    "Cannot save a row as column 'doc' has a Set in it, which JSON cannot hold",
    "its result has an object of type Map in column 'doc', which --create-table has no type for",
  ]);
});

Deno.test("typeOf() finds the type of a column for its first values", () => {
  const cases: [values: unknown[], type: string][] = [
    [[1, 2, null], "bigint"],
    [[1, 2.5], "double precision"],
    [[NaN], "double precision"],
    [[2n ** 70n], "numeric"],
    [[1, 2n ** 70n, 2.5], "numeric"],
    [["a", null], "text"],
    [[true], "boolean"],
    [[new Date()], "timestamptz"],
    [[new Uint8Array(2)], "bytea"],
    [[[1, 2]], "double precision[]"],
    [[["a"]], "text[]"],
    [[[["a"]]], "jsonb"],
    [[{ a: 1 }], "jsonb"],
    [[1, "a"], "jsonb"],
    [[null], "text"],
  ];
  for (const [values, type] of cases) assertEquals(typeOf(values), type, String(values));
});

runTest(
  "lets the columns read the text of CSV that the function returns unchanged",
  async (context) => {
    const { sql, file, flags } = context;
    await sql`create table users (id int primary key, doc jsonb, tags text[], said jsonb)`;
    const work = await file(
      "copy.mjs",
      "export default ({ doc, tags }) => ({ doc, tags, said: doc });",
    );
    const csv = await file("a.csv", 'id,doc,tags\n1,"{""a"":1}","{x,y}"\n');
    const json = await file("a.ndjson", '{"id":2,"doc":"{}","tags":["{x}"]}\n');
    assertEquals((await runHere("run.ts", [work, csv, ...flags])).code, 0);
    assertEquals((await runHere("run.ts", [work, json, ...flags])).code, 0);
    assertEquals([...await sql`select * from users order by id`], [
      { id: 1, doc: { a: 1 }, tags: ["x", "y"], said: '{"a":1}' },
      { id: 2, doc: "{}", tags: ["{x}"], said: "{}" },
    ]);
  },
);
