import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ScriptError } from "../scripts/cli/run.ts";
import { PostgresText } from "../postgres.ts";
import { readJob, writeJob } from "../scripts/queue/job.ts";
import { JobKey, readKey } from "../scripts/queue/key.ts";
import { allowed } from "./_permissions.ts";

const neverWarn = (sentence: string) => {
  throw new Error(sentence);
};
const secret = (byte: number) => new Uint8Array(32).fill(byte);

Deno.test("JobKey.open() opens what seal() has sealed, and nothing else", async () => {
  const [key, other] = await Promise.all([JobKey.from(secret(1)), JobKey.from(secret(2))]);
  await fc.assert(fc.asyncProperty(
    fc.string({ unit: "grapheme" }),
    fc.nat(),
    async (content, at) => {
      const sealed = await key.seal("job", content);
      assertEquals(await key.open("job", sealed), content);
      assertEquals(await key.open("joc", sealed), undefined);
      assertEquals(await other.open("job", sealed), undefined);
      const damaged = sealed.slice();
      damaged[at % damaged.length] ^= 1 + at % 255;
      assertEquals(await key.open("job", damaged), undefined);
      assertEquals(await key.open("job", sealed.slice(0, at % sealed.length)), undefined);
    },
  ));
});

Deno.test("JobKey.seal() never seals the same way twice", async () => {
  const key = await JobKey.from(secret(1));
  const all = await Promise.all(Array.from({ length: 1_000 }, () => key.seal("job", "content")));
  const nonces = new Set(all.map((bytes) => bytes.subarray(1, 13).join()));
  assertEquals(nonces.size, 1_000);
});

Deno.test("JobKey.seal() is AES-256-GCM with the job's name as associated data", async () => {
  const key = await JobKey.from(secret(7));
  const sealed = await key.seal("job", "content");
  // Version, nonce, as many bytes as the content, tag.
  assertEquals([sealed[0], sealed.length], [1, 1 + 12 + 7 + 16]);
});

Deno.test("JobKey.jobId() is the same for a row, and another with another key", async () => {
  const [key, again, other] = await Promise.all([1, 1, 2].map((n) => JobKey.from(secret(n))));
  assertEquals(await key.jobId("ann@example.com"), await again.jobId("ann@example.com"));
  assertNotEquals(await key.jobId("ann@example.com"), await other.jobId("ann@example.com"));
  assertNotEquals(await key.jobId("ann@example.com"), await key.jobId("ann@example.con"));
  assertMatch(await key.jobId("ann@example.com"), /^[\w-]{22}$/);
  assertEquals(key.id, again.id);
  assertNotEquals(key.id, other.id);
});

/** Not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

Deno.test("readJob() reads what writeJob() has written, and takes nothing else", () => {
  const job = {
    id: "7",
    password: 'p"\n\u2028',
    carried: { n: 2n ** 64n, small: -7, deep: { list: [1.5, null, true, "x"] }, none: null },
  };
  const kept = { ...job, carried: { ...job.carried, n: rawJSON("18446744073709551616") } };
  assertEquals(readJob(writeJob(job)), kept);
  assertEquals(writeJob(readJob(writeJob(job))!), writeJob(job));
  const csv = { ...job, carried: { doc: new PostgresText("{}"), none: null } };
  assertEquals(readJob(writeJob(csv)), csv);
  const row = { id: 7, password: undefined, carried: { text: "x" } };
  assertEquals(readJob(writeJob(row)), row);
  for (const text of ["", "null", "7", "[]", "{}", '{"id":7,"password":"x","carried":{}}']) {
    assertEquals(readJob(text), undefined);
  }
});

Deno.test({
  name: "readKey() takes 32 bytes in base64 or hexadecimal, and shows nothing of what is none",
  ignore: !allowed,
  async fn() {
    const path = await Deno.makeTempFile();
    try {
      const hex = "ab".repeat(32);
      const base64 = btoa(String.fromCharCode(...Array(32).fill(0xab)));
      const ids = new Set<string>();
      for (const text of [hex, hex.toUpperCase(), base64, `${base64}\n`, base64.replace("=", "")]) {
        await Deno.writeTextFile(path, text);
        ids.add((await readKey(path, neverWarn)).id);
      }
      assertEquals(ids.size, 1);
      for (const text of ["", "hunter2", hex.slice(2), `${hex}00`, base64.slice(4), "\0\xff"]) {
        await Deno.writeTextFile(path, text);
        const error = await assertRejects(
          () => readKey(path, neverWarn),
          ScriptError,
          "openssl rand",
        );
        assert(text === "" || !error.message.includes(text), error.message);
      }
    } finally {
      await Deno.remove(path);
    }
    await assertRejects(() => readKey(path, neverWarn), ScriptError, "there is no such file");
  },
});

Deno.test({
  name: "readKey() warns of a key that every user may read",
  ignore: !allowed || Deno.build.os === "windows",
  async fn() {
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, "ab".repeat(32));
      const warnings: string[] = [];
      await Deno.chmod(path, 0o640);
      await readKey(path, (sentence) => warnings.push(sentence));
      assertEquals(warnings, []);
      await Deno.chmod(path, 0o644);
      await readKey(path, (sentence) => warnings.push(sentence));
      assertEquals(warnings, [
        `Every user of this machine may read the key in '${path}': use chmod 600`,
      ]);
    } finally {
      await Deno.remove(path);
    }
  },
});
