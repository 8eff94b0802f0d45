import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { PostgresText } from "../postgres.ts";
import { ScriptError, UsageError } from "../scripts/cli/run.ts";
import { CsvReader, fieldsOf } from "../scripts/input/csv.ts";
import { type Format, formatOf } from "../scripts/input/format.ts";
import { openInput } from "../scripts/input/input.ts";
import { type Line, readLines } from "../scripts/input/lines.ts";
import { readPages } from "../scripts/input/pages.ts";
import type { InputColumns, Page } from "../scripts/input/row.ts";
import { readUsers, type UsersOptions } from "../scripts/input/users.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";

/** Not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

const encoder = new TextEncoder();
const ignore = (["read", "write"] as const)
  .some((name) => Deno.permissions.querySync({ name }).state !== "granted");

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
}

async function linesOf(content: string | Uint8Array, size = 7): Promise<Line[]> {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  return (await Array.fromAsync(readLines(chunksOf(bytes, size)))).flat();
}

async function rowsOf(
  content: string | Uint8Array,
  format: Format,
  columns: Partial<InputColumns> = {},
  options: Partial<UsersOptions> = {},
): Promise<Page> {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  const users = readUsers(chunksOf(bytes, 64), {
    format,
    columns: { id: "id", password: "password", carried: [], ...columns },
    literal: false,
    ...options,
  });
  return (await Array.fromAsync(users)).flat();
}

function csvOf(text: string) {
  const reader = new CsvReader();
  const lines = text.split("\n").map((text, i) => ({ number: i + 1, text }));
  return fieldsOf([...reader.read(lines), ...reader.end()], ",").map((record) => {
    if ("reason" in record) return record;
    const { line, fields } = record;
    return { line, fields };
  });
}

const row = (
  line: number,
  id: string | number,
  password: string,
  carried: unknown[] = [],
) => ({
  line,
  id,
  password,
  carried,
});

Deno.test("readLines() numbers lines, whatever the chunks", async () => {
  for (const size of [1, 2, 3, 100]) {
    assertEquals(await linesOf("a\n\nçé\r\nend", size), [
      { number: 1, text: "a" },
      { number: 2, text: "" },
      { number: 3, text: "çé\r" },
      { number: 4, text: "end" },
    ]);
    assertEquals(await linesOf("a\n", size), [{ number: 1, text: "a" }]);
    assertEquals(await linesOf("", size), []);
  }
});

Deno.test("readLines() takes a byte order mark off the first line, and off no other", async () => {
  assertEquals(await linesOf("\ufeffa\n\ufeffb\n", 1), [
    { number: 1, text: "a" },
    { number: 2, text: "\ufeffb" },
  ]);
});

Deno.test("readLines() marks the lines alone that are not UTF-8", async () => {
  const bytes = new Uint8Array([97, 10, 0xff, 98, 10, 99, 10, 0xc3, 10, 100]);
  for (const size of [1, 4, 100]) {
    const reasons = (await linesOf(bytes, size)).map(({ reason }) => reason);
    const reason = "it is not valid UTF-8";
    assertEquals(reasons, [undefined, reason, undefined, reason, undefined]);
  }
});

Deno.test("readLines() passes over a line that is too long for memory", async () => {
  const long = '"' + "x".repeat(3 * 2 ** 20);
  const lines = await linesOf(`a\n${long}\nb\n${long}"\nc`, 65_536);
  const reason = "it is longer than 1048576 bytes";
  assertEquals(lines, [
    { number: 1, text: "a" },
    { number: 2, text: '"', reason },
    { number: 3, text: "b" },
    { number: 4, text: "", reason },
    { number: 5, text: "c" },
  ]);
});

Deno.test("CsvReader reads what was written, with the lines on which records begin", () => {
  const field = fc.string({ unit: fc.constantFrom("a", "é", '"', ",", "\n", "\r\n", " ", "\0") });
  const records = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 30 });
  const property = fc.property(
    records,
    fc.boolean(),
    fc.constantFrom("\n", "\r\n"),
    (records, quoteAll, end) => {
      let line = 1, text = "";
      const expected = records.map((fields) => {
        const first = line;
        const cells = fields.map((field) =>
          quoteAll || /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
        );
        const record = cells.join(",") + end;
        line += record.split("\n").length - 1;
        text += record;
        const values = fields.map((field) => field === "" && !quoteAll ? null : field);
        return { line: first, fields: values };
      });
      assertEquals(csvOf(text.replace(/\n$/, "")).filter((one) => one !== undefined), expected);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

Deno.test("CsvReader gives up on the line alone that is broken", () => {
  const notClosed = "a quote in it is not closed";
  const misplaced = "it is not valid CSV: a quote is in the wrong place";
  assertEquals(csvOf('1,a\n2,b"c\n3,d\n4,"e"f\n5,"g"\n6,h"i"\n7,"j\n8,k\n9,"l"'), [
    { line: 1, fields: ["1", "a"] },
    { line: 2, reason: notClosed },
    { line: 3, fields: ["3", "d"] },
    { line: 4, reason: misplaced },
    { line: 5, fields: ["5", "g"] },
    { line: 6, reason: misplaced },
    { line: 7, reason: notClosed },
    { line: 8, fields: ["8", "k"] },
    { line: 9, fields: ["9", "l"] },
  ]);
});

Deno.test("CsvReader keeps what stands within quotes together, even where it is broken", () => {
  const bad = { number: 2, text: "\ufffd", reason: "it is not valid UTF-8" };
  const lines = [{ number: 1, text: '1,"a' }, bad, { number: 3, text: '9,evil"' }, {
    number: 4,
    text: "4,b",
  }];
  assertEquals(new CsvReader().read(lines), [
    { line: 1, reason: "it is not valid UTF-8" },
    { line: 4, lastLine: 4, text: "4,b" },
  ]);
});

Deno.test("CsvReader does not read the rest of a file into memory for a quote", () => {
  const reader = new CsvReader();
  reader.read([{ number: 1, text: '1,"a' }]);
  const text = "x".repeat(1_000) + ",y";
  let read = 0, number = 2;
  while (read === 0 && number < 3_000) read = reader.read([{ number: number++, text }]).length;
  assert(read > 1_000 && number < 1_100, `${read} records at line ${number}`);
});

Deno.test("readPages() reads CSV by the names of its header", async () => {
  const text = '\ufeffmail,password,id\r\na@b.c,pass 1,7\r\n,"pass,""2",8\r\n\r\n"",pass3,9';
  assertEquals(await rowsOf(text, "csv", { carried: ["mail"] }), [
    row(2, "7", "pass 1", [new PostgresText("a@b.c")]),
    row(3, "8", 'pass,"2', [null]),
    row(5, "9", "pass3", [new PostgresText("")]),
  ]);
});

Deno.test("readPages() refuses a CSV file without a header, and reads one with nothing else", async () => {
  for (const text of ["", "\n", "sep=;\n"]) {
    await assertRejects(
      () => rowsOf(text, "csv"),
      ScriptError,
      "Cannot use the input as its first line should name the columns, and there is none",
    );
  }
  for (const format of ["ndjson", "lines"] as const) assertEquals(await rowsOf("", format), []);
  assertEquals(await rowsOf("id,password", "csv"), []);
  assertEquals(await rowsOf("id,password\n\n", "csv"), []);
});

Deno.test("readPages() does not quote a first line that is no header", async () => {
  for (const text of ["1,Secret1\n", "Secret1,id\n", 'id,"Secret1\n', "password,id,id\n"]) {
    const error = await assertRejects(() => rowsOf(text, "csv"), ScriptError);
    assert(!error.message.includes("Secret"), error.message);
  }
});

Deno.test("readPages() tells why rows of a CSV file cannot be used, and quotes none", async () => {
  const text = [
    "id,password,mail",
    "1,Secret,x,y",
    "2,Secret",
    ",Secret,x",
    "4,,x",
    `5,${"Secret".repeat(20)},x`,
    "6,Sec\0ret,x",
    '7,Sec"ret,x',
    "8,good,x",
  ].join("\n");
  assertEquals(await rowsOf(text, "csv"), [
    { line: 2, reason: "it has 4 fields, and the header 3" },
    { line: 3, reason: "it has 2 fields, and the header 3" },
    { line: 4, reason: "it has no id" },
    { line: 5, reason: "it has no password" },
    {
      line: 6,
      reason: "Cannot hash a password of 120 bytes as bcrypt sees only the first 72",
    },
    {
      line: 7,
      reason: "its password has a NUL (U+0000) in it",
    },
    { line: 8, reason: "a quote in it is not closed" },
    row(9, "8", "good"),
  ]);
});

Deno.test("readPages() reads NDJSON, and keeps long numbers as they are", async () => {
  const text = [
    '{"id":9007199254740993,"password":"a","n":1.5}',
    '{"id":"x","password":"b\\u00e9","n":null}\r',
    "",
    '{"id":-3,"password":"c","n":{"deep":[12345678901234567890]}}',
  ].join("\n");
  assertEquals(await rowsOf(text, "ndjson", { carried: ["n"] }), [
    row(1, "9007199254740993", "a", [1.5]),
    row(2, "x", "bé", [null]),
    row(4, -3, "c", [{
      deep: [
        rawJSON("12345678901234567890"),
      ],
    }]),
  ]);
});

Deno.test("readPages() tells why rows of NDJSON cannot be used, and quotes none", async () => {
  const text = [
    '{"id":1,"password":"Secret"',
    '["Secret"]',
    '{"id":true,"password":"Secret","mail":1}',
    '{"password":"Secret","mail":1}',
    '{"id":1,"password":123,"mail":1}',
    '{"id":1,"mail":1}',
    '{"id":1,"password":"Secret"}',
    '{"id":1,"password":"Secret\\ud800","mail":1}',
    '{"__proto__":{"id":1},"password":"Secret","mail":1}',
  ].join("\n");
  assertEquals(
    (await rowsOf(text, "ndjson", { carried: ["mail"] })).map((row) =>
      "reason" in row && row.reason
    ),
    [
      "it is not valid JSON",
      "it is not a JSON object",
      "its id is neither a text nor a number",
      "it has no id",
      "its password is not a string",
      "it has no password",
      "it has no column 'mail'",
      "Cannot hash a password with half of a surrogate pair in it",
      "it has no id",
    ],
  );
});

Deno.test("readPages() takes every plain line for a password, and its number for the id", async () => {
  const text = 'pass 1\r\n\n "x",\n\xff last';
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  assertEquals(await rowsOf(bytes, "lines"), [
    row(1, 1, "pass 1"),
    { line: 2, reason: "it has no password" },
    row(3, 3, ' "x",'),
    { line: 4, reason: "it is not valid UTF-8" },
  ]);
});

Deno.test("readPages() keeps pages small, and waits for no company", async () => {
  const chunk = encoder.encode("x\n".repeat(1_200));
  async function* chunks() {
    yield chunk;
    yield encoder.encode("y\n");
    throw new Error("nobody should wait for this");
  }
  const counts: number[] = [];
  const pages = readPages(chunks(), {
    format: "lines",
    wanted: [],
    makeRow: (row) => row,
    onRows: (count) => counts.push(count),
  });
  const sizes: number[] = [];
  for (let i = 0; i < 4; i++) sizes.push((await pages.next()).value!.length);
  assertEquals(sizes, [500, 500, 200, 1]);
  assertEquals(counts, [1_200, 1_201]);
});

Deno.test("formatOf() tells the format by the extension", () => {
  const names = [
    "a.csv",
    "a.b.CSV",
    "x/a.csv.gz",
    "a.ndjson",
    "a.jsonl.GZ",
    "a.txt",
    "a.json",
    "a.tsv",
  ];
  assertEquals(names.map(formatOf), [
    "csv",
    "csv",
    "csv",
    "ndjson",
    "ndjson",
    "lines",
    "json",
    "csv",
  ]);
  for (const name of ["-", "passwords", "a.xlsx", "a.gz", "csv", "x.csv/a"]) {
    assertThrows(() => formatOf(name), UsageError, "--format");
  }
});

async function contentOf(path: string): Promise<string> {
  const input = await openInput(path);
  const chunks = await Array.fromAsync(input.chunks(new AbortController().signal));
  assertEquals(input.bytesRead, input.size);
  return new TextDecoder().decode(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));
}

Deno.test("openInput() unpacks gzip, of several members too", { ignore }, async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.txt.gz");
    await Deno.writeFile(path, gzipSync("one\n"));
    await Deno.writeFile(path, gzipSync("two\n"), { append: true });
    assertEquals(await contentOf(path), "one\ntwo\n");
  });
});

Deno.test("openInput() tells what is wrong with a file", { ignore }, async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.txt.gz");
    const packed = gzipSync("x".repeat(1_000));
    for (
      const [content, why] of [
        [packed.subarray(0, packed.length - 4), "it is cut off"],
        [encoder.encode("no gzip"), "it is not a gzip file"],
      ] as const
    ) {
      await Deno.writeFile(path, content);
      await assertRejects(() => contentOf(path), ScriptError, why);
    }
    await assertRejects(() => openInput(join(folder, "b")), ScriptError, "there is no such file");
    await assertRejects(() => openInput(folder), ScriptError, "it is a folder");
  });
});

Deno.test("openInput() ends where the signal is aborted", { ignore }, async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.txt");
    await Deno.writeTextFile(path, "x".repeat(200_000));
    const controller = new AbortController();
    let bytes = 0;
    for await (const chunk of (await openInput(path)).chunks(controller.signal)) {
      bytes += chunk.length;
      controller.abort();
    }
    assert(bytes > 0 && bytes < 200_000);
  });
});
