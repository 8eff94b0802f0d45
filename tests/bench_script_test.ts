import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, databaseUrl } from "./_database.ts";
import { bench, onDatabase, output, start, tables, test, withFile } from "./_bench.ts";
import { until } from "./fixtures/hash_run.ts";

const SECRET = "SECRET";
const QUICK = ["--count", "5", "--cost", "4", "--repeat", "1", "--modes", "serial"];

test("hashes the passwords of a file, and names the lines that it skips without their text", async () => {
  const passwords = Array.from({ length: 40 }, (_, i) => `pässwörd 漢字 ${i}`);
  const lines = ["\ufeff" + passwords[0], SECRET.repeat(13), "", ...passwords.slice(1, 20)];
  lines.push(`${SECRET}\0`, ...passwords.slice(20));
  const text = new TextEncoder().encode(lines.join("\r\n") + "\n" + SECRET);
  await withFile(new Uint8Array([...text, 0xff, 10]), async (path) => {
    const { code, stdout, stderr } = await onDatabase(
      ...["--json", "--cost", "4", "--modes", "serial,burst", "--repeat", "1", "--input", path],
    );
    assertEquals(code, 0);
    const { results } = JSON.parse(stdout);
    for (const { count, rowsSaved, slowdown } of results) {
      assertEquals([count, rowsSaved, slowdown], [40, 40, null]);
    }
    assertEquals(stderr.trimEnd().split("\n"), [
      "Skipping line 2: Cannot hash a password of 78 bytes as bcrypt sees only the first 72",
      "Skipping line 3: it is empty",
      "Skipping line 23: Cannot hash a password with a NUL character in it as bcrypt stops there",
      "Skipping line 44: it is not valid UTF-8",
    ]);
    assert(!(stdout + stderr).includes(SECRET));
  });
});

test("hashes as many passwords of a file as --count says", async () => {
  await withFile("one\ntwo\nthree\n", async (path) => {
    const options = ["--json", "--cost", "4", "--modes", "burst", "--repeat", "1", "--input", path];
    const two = await onDatabase(...options, "--count", "2");
    assertEquals(JSON.parse(two.stdout).results[0].rowsSaved, 2);
    const five = await onDatabase(...options, "--count", "5");
    assertEquals(JSON.parse(five.stdout).results[0].rowsSaved, 3);
    assertEquals(five.stderr, `Hashing 3 passwords, not 5: '${path}' has no more\n`);
  });
});

test("starts a server of its own where no database is named", async () => {
  const child = start([...QUICK, "--json"], {
    DATABASE_URL: "",
  });
  const { code, stdout } = await output(child);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout).environment.embedded, true);
});

test("takes DATABASE_URL from the environment", async () => {
  const child = start([...QUICK, "--json"], {
    DATABASE_URL: databaseUrl(),
  });
  const { code, stdout } = await output(child);
  assertEquals([code, JSON.parse(stdout).environment.embedded], [0, false]);
});

test("prints its flags with --help", async () => {
  const { code, stdout, stderr } = await bench("--help");
  assertEquals([code, stderr], [0, ""]);
  for (
    const flag of [
      "--preset quick|book",
      "--count N[,N…]",
      "--latency MS[,MS…]",
      "--report FILE",
      "--cost C[,C…]",
      "--modes MODE[,MODE…]",
      "--input FILE",
      "--json",
    ]
  ) {
    assertStringIncludes(stdout, `  ${flag} `);
  }
});

test("ends cleanly on Ctrl-C: no table left, nothing printed, exit code 130", async () => {
  const before = await tables();
  const child = start(["--database-url", databaseUrl(), "--cost", "8", "--count", "100000"]);
  const ended = output(child);
  await until(async () => (await tables()).length > before.length);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  assertEquals([code, stdout, stderr], [130, "", ""]);
  assertEquals(await tables(), before);
});

test("ends with one sentence where the database goes away in the middle", async () => {
  await using sql = await connect({ max: 1 });
  for (const mode of ["serial", "batched", "async", "burst", "pool"]) {
    const before = await tables();
    const ended = onDatabase("--cost", "4", "--count", "20000", "--modes", mode);
    let table: string | undefined;
    await until(async () => {
      table = (await tables()).find((name) => !before.includes(name));
      return table !== undefined;
    });
    // A constraint that fails stands for whatever the server may refuse.
    await sql`alter table ${sql(table!)} add constraint small check (id < 50) not valid`;
    const { code, stdout, stderr } = await ended;
    assertEquals([code, stdout], [1, ""], mode);
    assertMatch(stderr, /^Cannot use the database at .* as .*23514.*\n$/);
    assertEquals(await tables(), before);
  }
});

test("ends cleanly on Ctrl-C while it waits for a long round trip", async () => {
  const before = await tables();
  const child = start([
    ...["--database-url", databaseUrl(), "--cost", "4", "--latency", "200", "--modes", "serial"],
  ]);
  const ended = output(child);
  await until(async () => (await tables()).length > before.length);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await ended;
  assertEquals([code, stdout, stderr], [130, "", ""]);
  assertEquals(await tables(), before);
});
