import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { PostgresText } from "../postgres.ts";
import { ScriptError } from "../scripts/cli/run.ts";
import { type Format, FORMATS } from "../scripts/input/format.ts";
import { openInput } from "../scripts/input/input.ts";
import type { InputColumns, Page } from "../scripts/input/row.ts";
import { readUsers, type UsersOptions } from "../scripts/input/users.ts";
import { readItems } from "../scripts/run/items.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import { allowed } from "./_permissions.ts";

const encoder = new TextEncoder();
const ignore = (["read", "write"] as const)
  .some((name) => Deno.permissions.querySync({ name }).state !== "granted");

interface Reading extends Partial<Omit<UsersOptions, "columns">> {
  columns?: Partial<InputColumns>;
  notes?: string[];
  size?: number;
}

async function rowsOf(
  content: string | Uint8Array,
  format: Format,
  { columns, notes, size = 64, ...options }: Reading = {},
): Promise<Page> {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  async function* chunks() {
    for (let i = 0; i < bytes.length; i += size) yield bytes.slice(i, i + size);
  }
  const users = readUsers(chunks(), {
    format,
    columns: { id: "id", password: "password", carried: [], ...columns },
    literal: false,
    onNote: (sentence) => notes?.push(sentence),
    ...options,
  });
  return (await Array.fromAsync(users)).flat();
}

/** What became of each row: its password, or why it has none. */
async function endsOf(content: string, format: Format, reading?: Reading): Promise<string[]> {
  return (await rowsOf(content, format, reading)).map((row) =>
    "reason" in row ? `${row.line}: ${row.reason}` : row.password
  );
}

async function readFile(content: Uint8Array, name = "a.csv"): Promise<string> {
  let text = "";
  await withFolder(async (folder) => {
    const path = join(folder, name);
    await Deno.writeFile(path, content);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for await (const chunk of (await openInput(path)).chunks(new AbortController().signal)) {
      text += decoder.decode(chunk, { stream: true });
    }
  });
  return text;
}

Deno.test("readUsers() rejects a control character in a password or an id, and names it", async () => {
  assertEquals(await endsOf("a\r\r\nb\r\nc\td\n\x85e\n", "lines"), [
    "1: its password has a carriage return (U+000D) in it",
    "b",
    "3: its password has a tab (U+0009) in it",
    "4: its password has a control character (U+0085) in it",
  ]);
  assertEquals(await endsOf('id,password\n"a\x1b",x1\n2,x2\n', "csv"), [
    "2: its id has an escape (U+001B) in it",
    "x2",
  ]);
  assertEquals(await endsOf('{"id":1,"password":"a\\nb"}\n', "ndjson"), [
    "1: its password has a line feed (U+000A) in it",
  ]);
  assertEquals(await endsOf("a\u2028b\ncaf\ufffd\n", "lines"), [
    "1: its password has a line separator (U+2028) in it",
    "2: its password has a replacement character (U+FFFD) in it",
  ]);
});

Deno.test("readItems() rejects the ids that readUsers() rejects", async () => {
  const text = "id,x\n7,a\nNULL,b\n\ufeffid,x\n";
  const items = readItems(ReadableStream.from([encoder.encode(text)]), {
    format: "csv",
    columns: { id: "id" },
  });
  assertEquals((await Array.fromAsync(items)).flat(), [
    { line: 2, id: "7", row: { id: "7", x: "a" } },
    { line: 3, reason: "its id is a word for no value" },
    { line: 4, reason: "its id has a byte order mark (U+FEFF) in it" },
  ]);
});

Deno.test("readUsers() reads a file whose lines end in a carriage return alone", async () => {
  assertEquals(await endsOf("a\rb\rc", "lines", { size: 2 }), ["a", "b", "c"]);
  assertEquals(await endsOf("id,password\r1,a\r2,b\r", "csv"), ["a", "b"]);
  assertEquals(await endsOf("a\rb\nc\n", "lines"), [
    "1: its password has a carriage return (U+000D) in it",
    "c",
  ]);
});

Deno.test("readUsers() rejects a quoted line break, and tells how far the row goes", async () => {
  assertEquals(await endsOf('id,password\n1,"anna\n2,bob\n3,clara"\n4,dora\n', "csv"), [
    "2: its password has a line feed (U+000A) in it; the row goes on to line 4",
    "dora",
  ]);
  assertEquals(
    await rowsOf('id,password,address\n1,anna,"a\nb"\n', "csv", {
      columns: { carried: ["address"] },
    }),
    [{ line: 2, id: "1", password: "anna", carried: [new PostgresText("a\nb")] }],
  );
});

Deno.test("readUsers() compares names in a header as strictly as it keeps values", async () => {
  await assertRejects(
    () => rowsOf("id, password\n1, a\n", "csv"),
    ScriptError,
    "has blanks around 'password': remove them there and from the rows",
  );
  assertEquals(
    await endsOf("id, password\n1, a\n", "csv", { columns: { password: " password" } }),
    [" a"],
  );
});

Deno.test("readUsers() refuses a file of hashes, and takes them where that is meant", async () => {
  const hash = `$2y$10$${"a".repeat(53)}`;
  for (
    const [one, what] of [
      [hash, "a bcrypt hash"],
      ["$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "an Argon2 hash"],
      ["$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/", "a phpass hash"],
      ["pbkdf2_sha256$260000$salt$hash=", "a PBKDF2 hash"],
      ["{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "a hash of LDAP"],
      ["5f4dcc3b5aa765d61d8327deb882cf99", "an MD5 digest"],
      ["5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "a SHA-1 digest"],
      ["$6$salt$hash", "a hash of crypt(3)"],
      [`$wp${hash}`, "a hash of crypt(3)"],
      [`{bcrypt}${hash}`, "a hash of Spring"],
      ["*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "a hash of MySQL"],
    ]
  ) {
    const text = `${one}\n${one}\n`;
    const error = await assertRejects(() => rowsOf(text, "lines"), ScriptError, what);
    assert(!error.message.includes(one));
    assertEquals(await endsOf(text, "lines", { literal: true }), [one, one]);
  }
  assertEquals(await endsOf(`mellon\n${hash}\n5f4dcc3b5aa765d61d8327deb882cf99\n`, "lines"), [
    "mellon",
    "2: its password looks like a bcrypt hash: pass --literal if it is a password",
    "5f4dcc3b5aa765d61d8327deb882cf99",
  ]);
});

Deno.test("readUsers() rejects words for no value, and a header in the middle", async () => {
  const text = "id,password\n1,NULL\n2,\\N\n3,null\n4,None\nNULL,x\nid,password\n7,nullify\n";
  assertEquals(await endsOf(text, "csv"), [
    ...[2, 3, 4, 5].map((line) =>
      `${line}: its password is a word for no value: pass --literal if it is meant`
    ),
    "6: its id is a word for no value",
    "7: it repeats the header",
    "nullify",
  ]);
  assertEquals(await endsOf("id,password\n1,x1\n\ufeffid,password\n2,x2\n", "csv"), [
    "x1",
    "3: its id has a byte order mark (U+FEFF) in it",
    "x2",
  ]);
  assertEquals(await endsOf("null\n", "lines", { literal: true }), ["null"]);
});

Deno.test("readUsers() keeps numbers as they were written", async () => {
  const text = [
    '{"id":9007199254740993.0,"password":"a","n":1e400}',
    '{"id":7,"password":"b","n":12345678901234567890.123}',
    '{"id":-0,"password":"c","n":{"t":9007199254740993}}',
  ].join("\n");
  const rows = await rowsOf(text, "ndjson", { columns: { carried: ["n"] } });
  assertEquals(rows.map((row) => "id" in row && row.id), ["9007199254740993.0", 7, "-0"]);
  assertEquals(
    rows.map((row) => "carried" in row && JSON.stringify(row.carried)),
    ["[1e400]", "[12345678901234567890.123]", '[{"t":9007199254740993}]'],
  );
});

Deno.test("readUsers() rejects an object that has a name twice", async () => {
  assertEquals(
    await endsOf('{"id":1,"password":"a","password":"b:{"}\n{"id":2,"password":"c:"}', "ndjson"),
    [
      "1: it has the same name twice",
      "c:",
    ],
  );
});

Deno.test("readUsers() finds the delimiter in the header, and says so", async () => {
  for (
    const [text, said] of [
      ["id;password\n1;a,b\n", "semicolons"],
      ["id\tpassword\n1\ta,b\n", "tabs"],
      ["id|password\n1|a,b\n", "'|'"],
    ]
  ) {
    const notes: string[] = [];
    assertEquals(await endsOf(text, "csv", { notes }), ["a,b"]);
    assertEquals(notes, [`The fields of the input are separated by ${said}`]);
  }
  const notes: string[] = [];
  assertEquals(await endsOf("sep=;\r\nid;password\r\n1;a\r\n", "csv", { notes }), ["a"]);
  assertEquals(await endsOf("id~password\n1~a\n", "csv", { delimiter: "~", notes }), ["a"]);
  assertEquals(notes, []);
});

Deno.test("readUsers() reads JSON: an array, objects one after the other, over many lines", async () => {
  const objects = ['{\n  "id": 1,\n  "password": "a]}"\n}', '{"id":2,"password":"b\\"{"}'];
  for (const text of [`[${objects.join(",\n")}]`, objects.join("\n"), objects.join(" "), "[\n]"]) {
    const rows = await rowsOf(text, "json", { size: 3 });
    assertEquals(
      rows.map((row) => "id" in row && [row.id, row.password]),
      text === "[\n]" ? [] : [[1, "a]}"], [2, 'b"{']],
    );
  }
});

Deno.test("readUsers() refuses JSON that is damaged, and quotes none of it", async () => {
  for (
    const [text, why] of [
      ['[{"id":1,"password":"Secret"}', "the array is not closed"],
      ['[{"id":1,"password":"Secret"', "line 1 begins an object that is not closed"],
      ['[{"id":1,"password":"x"},]', "line 1 has something"],
      ['[{"id":1,"password":"x"} {"id":2}]', "line 1 has an object where none can stand"],
      ['["Secret"]', "line 1 has something"],
      ['{"id":1,"password":"x"}\n]', "line 2 has something"],
      ['[]\n{"id":1,"password":"x"}', "line 2 has an object where none can stand"],
      [
        `{"id":1,"password":"${"x".repeat(2 ** 19)}",\n"a":"${"x".repeat(2 ** 19)}",\n`,
        "more than",
      ],
    ]
  ) {
    const error = await assertRejects(() => rowsOf(text, "json", { size: 4096 }), ScriptError, why);
    assert(!error.message.includes("Secret"));
  }
});

Deno.test("readUsers() says so where the last line has no line end", async () => {
  const notes: string[] = [];
  assertEquals(await endsOf("a\nb", "lines", { notes }), ["a", "b"]);
  assertEquals(notes, ["The last line of the input has no line end: it is read as it is"]);
});

Deno.test("readUsers() holds no more of an open quote than a bounded text", async () => {
  const blank = "\n".repeat(2_000_000);
  const rows = await rowsOf(`id,password\n1,"abc\n${blank}2,mellon\n`, "csv", { size: 65_536 });
  assertEquals(rows.map((row) => "reason" in row ? row.reason : row.password), [
    "a quote in it is not closed",
    "mellon",
  ]);
  const many = Array.from({ length: 150_000 }, (_, i) => `${i},x${i}`).join("\n");
  assertEquals(
    (await rowsOf(`id,password\n1,"abc\n${many}\n`, "csv", { size: 65_536 })).length,
    150_001,
  );
});

Deno.test("openInput() says what a file is that is no text", { ignore }, async () => {
  for (
    const [begin, what] of [
      ["PK\x03\x04\x14\x00", "a ZIP archive"],
      ["\x28\xb5\x2f\xfd\x04", "packed with zstd"],
      ["\xfd7zXZ\x00", "packed with xz"],
      ["BZh91AY&SY", "packed with bzip2"],
      ["SQLite format 3\0", "a SQLite database"],
      ["i\0d\0,\0p\0a\0s\0s\0", "UTF-16 without a byte order mark"],
      ["\xff\xfe\0\0i\0\0\0", "UTF-32"],
    ]
  ) {
    const bytes = Uint8Array.from(begin, (letter) => letter.charCodeAt(0));
    await assertRejects(() => readFile(bytes), ScriptError, what);
    await assertRejects(() => readFile(gzipSync(bytes)), ScriptError, what);
  }
  await assertRejects(() => readFile(gzipSync(gzipSync("a\n"))), ScriptError, "gzip twice");
});

Deno.test(
  "openInput() unpacks gzip whatever its name is, and reads UTF-16",
  { ignore },
  async () => {
    assertEquals(await readFile(gzipSync("a\nb\n"), "a.txt"), "a\nb\n");
    const utf16 = Uint8Array.from([
      0xff,
      0xfe,
      ...[..."é\n€"].flatMap((letter) => {
        const code = letter.charCodeAt(0);
        return [code & 255, code >> 8];
      }),
    ]);
    assertEquals(await readFile(utf16), "é\n€");
    assertEquals(await readFile(utf16.map((_, i) => utf16[i ^ 1])), "é\n€");
    await assertRejects(
      () => readFile(utf16.slice(0, -1)),
      ScriptError,
      "it is not valid UTF-16LE",
    );
    const half = Uint8Array.of(...utf16.slice(0, 2), 0x00, 0xd8, 0x61, 0x00);
    await assertRejects(() => readFile(half), ScriptError, "it is not valid UTF-16LE");
  },
);

Deno.test(
  "openInput() refuses the end of a file that changes while it is read",
  { ignore },
  async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "a.txt");
      await Deno.writeTextFile(path, "a\nSec");
      const input = await openInput(path);
      await Deno.writeTextFile(path, "ret\n", { append: true });
      const rows: string[] = [];
      const reading = async () => {
        const options = { format: "lines", literal: false } as const;
        const columns = { id: "id", password: "password", carried: [] };
        for await (
          const page of readUsers(input.chunks(new AbortController().signal), {
            ...options,
            columns,
          })
        ) {
          for (const row of page) if ("password" in row) rows.push(row.password);
        }
      };
      await assertRejects(reading, ScriptError, "is still being written");
      assert(!rows.includes("Sec"));
    });
  },
);

Deno.test(
  "openInput() tells of a damaged gzip file, wherever it is damaged",
  { ignore },
  async () => {
    const packed = gzipSync("mellon\n".repeat(5_000));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(packed.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bytes = cut ? packed.slice(0, at + 1) : packed.slice();
          bytes[at] ^= flip;
          try {
            await readFile(bytes, "a.txt.gz");
          } catch (error) {
            assert(error instanceof ScriptError, String(error));
          }
        },
      ),
      { numRuns: 100 },
    );
  },
);

const RUNS = Number((allowed && Deno.env.get("BURST_FUZZ_RUNS")) || 1_000);

Deno.test("readUsers() reads whatever it is given without a crash, a hang or a secret", async () => {
  const piece = fc.constantFrom(
    ...["id", "password", ",", ";", "\t", '"', "\n", "\r", "\r\n", "{", "}", "[", "]", ":", "\\"],
    ...[
      '"id":1,',
      '"password":"Secret"',
      "Secret",
      "1",
      " ",
      "\0",
      "é",
      "\ufeff",
      "NULL",
      "sep=;\n",
    ],
    ...["id,password\n", '{"id":1,"password":"Secret"}', "\xff", "\ud800"],
  );
  const content = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.constantFrom(...FORMATS),
      fc.integer({ min: 1, max: 9 }),
      async (text, format, size) => {
        const bytes = Uint8Array.from(encoder.encode(text));
        const read = async (size: number) => {
          try {
            return await rowsOf(bytes, format, { size });
          } catch (error) {
            assert(error instanceof ScriptError, String(error));
            assert(!error.message.includes("Secret"), error.message);
            return error.message;
          }
        };
        const rows = await read(size);
        assertEquals(rows, await read(1_000), "the chunks do not matter");
        if (typeof rows === "string") return;
        for (const row of rows) {
          if ("reason" in row) assert(!row.reason.includes("Secret"), row.reason);
          // deno-lint-ignore no-control-regex
          else assert(!/[\0-\x1f\x7f-\x9f]/.test(`${row.id}${row.password}`));
        }
        const lines = rows.map(({ line }) => line);
        assertEquals(lines, lines.toSorted((a, b) => a - b), "rows come in the order of the lines");
      },
    ),
    { numRuns: RUNS },
  );
});
