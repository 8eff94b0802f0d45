import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { allowed, connect, databaseUrl } from "./_database.ts";

const SCRIPT = new URL("../scripts/bench.ts", import.meta.url).pathname;
const SECRET = "SECRET";

interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

function start(args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SCRIPT, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function output(child: Deno.ChildProcess): Promise<Output> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function bench(...args: string[]): Promise<Output> {
  return output(start(args));
}

function onDatabase(...args: string[]): Promise<Output> {
  return bench("--database-url", databaseUrl(), ...args);
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `bench.ts ${name}`, ignore: !allowed, fn });
}

async function tables(): Promise<string[]> {
  await using sql = await connect({ max: 1 });
  const rows = await sql`select tablename from pg_tables where tablename like 'burst_bench_%'`;
  return rows.map(({ tablename }) => tablename);
}

async function withFile(
  text: string | Uint8Array,
  fn: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
    await fn(path);
  } finally {
    await Deno.remove(path);
  }
}

test("prints one JSON object with every mode", async () => {
  const before = await tables();
  const { code, stdout, stderr } = await onDatabase(
    ...["--json", "--count", "40", "--cost", "4", "--repeat", "2"],
    ...["--modes", "no-io,serial,batched,async,burst,pool-no-io,pool", "--workers", "2"],
  );
  assertEquals([code, stderr], [0, ""]);
  const { version, environment, results } = JSON.parse(stdout);
  assertEquals(version, 1);
  assertEquals(Object.keys(environment), ["deno", "cpu", "cores", "postgres", "embedded"]);
  assertEquals([environment.deno, environment.embedded], [Deno.version.deno, false]);
  assertEquals(
    results.map(({ mode, rowsSaved }: { mode: string; rowsSaved: number }) => [mode, rowsSaved]),
    [["no-io", 0], ["serial", 40], ["batched", 40], ["async", 40], ["burst", 40], [
      "pool-no-io",
      0,
    ], ["pool", 40]],
  );
  for (const result of results) {
    const { mode, cost, latencyMs, count, wallMs, slowdown, responseMs, loopDelayMs } = result;
    assertEquals([cost, latencyMs, count, wallMs.samples.length], [4, 0, 40, 2]);
    assert(wallMs.min > 0 && wallMs.min <= wallMs.median && wallMs.median <= wallMs.max);
    assertEquals(slowdown, wallMs.median / results[0].wallMs.median);
    if (mode.endsWith("no-io")) assertEquals(responseMs, null);
    else {assert(
        responseMs.p50 > 0 && responseMs.p50 <= responseMs.p99 && responseMs.p99 <= responseMs.max,
      );}
    assert(loopDelayMs.p99 >= 0 && loopDelayMs.p99 <= loopDelayMs.max);
  }
  assertEquals(await tables(), before, "the benchmark's table is gone");
});

test("prints a table without --json, and no progress bar into a pipe", async () => {
  const { code, stdout, stderr } = await onDatabase(
    "--count",
    "10",
    "--cost",
    "4,5",
    "--repeat",
    "1",
  );
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "10 passwords are hashed and saved, 1 time by each mode");
  assertStringIncludes(stdout, "bcrypt cost 4,");
  assertStringIncludes(stdout, "bcrypt cost 5,");
  for (const mode of ["no-io", "serial", "batched", "async", "burst", "pool-no-io", "pool"]) {
    assertMatch(stdout, new RegExp(`^  ${mode} +[\\d.]+ m?s `, "m"));
  }
});

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
      "Line 2 is skipped: Cannot hash a password of 78 bytes as bcrypt sees only the first 72",
      "Line 3 is skipped: it is empty",
      "Line 23 is skipped: Cannot hash a password with a NUL character in it as bcrypt stops there",
      "Line 44 is skipped: it is not valid UTF-8",
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
    assertEquals(five.stderr, `Of the 5 passwords asked for, '${path}' has 3\n`);
  });
});

test("starts a server of its own where no database is named", async () => {
  const child = start(["--json", "--count", "5", "--cost", "4", "--repeat", "1"], {
    DATABASE_URL: "",
  });
  const { code, stdout } = await output(child);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout).environment.embedded, true);
});

test("takes DATABASE_URL from the environment", async () => {
  const child = start(["--json", "--count", "5", "--cost", "4", "--repeat", "1"], {
    DATABASE_URL: databaseUrl(),
  });
  const { code, stdout } = await output(child);
  assertEquals([code, JSON.parse(stdout).environment.embedded], [0, false]);
});

test("answers wrong usage with one sentence and exit code 2", async () => {
  const cases: [string[], string][] = [
    [["--cuont", "3"], "Cannot run this as there is no flag '--cuont': see --help"],
    [["--cuont=3"], "Cannot run this as there is no flag '--cuont': see --help"],
    [["-x"], "Cannot run this as there is no flag '-x': see --help"],
    [["40"], "Cannot run this as it takes no arguments but flags: see --help"],
    [
      ["--count", "many"],
      "Cannot run this as --count must be a whole number of at least 1: it is 'many'",
    ],
    [["--count=0"], "Cannot run this as --count must be a whole number of at least 1: it is '0'"],
    [["--count"], "Cannot run this as --count needs a value"],
    [["--count", "1", "--count", "2"], "Cannot run this as --count stands more than once"],
    [
      ["--cost", "4,40"],
      "Cannot run this as --cost must be a whole number from 4 to 31: it is '40'",
    ],
    [
      ["--modes", "serial,best"],
      "Cannot run this as --modes names no mode 'best': the modes are no-io, serial, batched, async, burst, pool-no-io, pool",
    ],
    [
      ["--database-url", `mysql://root:${SECRET}@localhost/x`],
      "Cannot connect to a database as --database-url must be a URL like postgres://user:password@host:5432/name",
    ],
  ];
  const outputs = await Promise.all(cases.map(([args]) => bench(...args)));
  for (const [i, [args, message]] of cases.entries()) {
    assertEquals(outputs[i], { code: 2, stdout: "", stderr: `${message}\n` }, args.join(" "));
  }
});

test("answers a database that cannot be used with one sentence and exit code 1", async () => {
  const { hostname, port, username, pathname } = new URL(databaseUrl());
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nobody = `127.0.0.1:${(closed.addr as Deno.NetAddr).port}`;
  closed.close();
  const server = `${hostname}:${port}`;
  const cases: [string, string][] = [
    [
      `postgres://me:${SECRET}@${nobody}/db`,
      `Cannot use the database at postgres://me@${nobody}/db as nothing listens there: check the address, and that the server runs`,
    ],
    [
      `postgres://me:${SECRET}@no-such-host.invalid/db?password=${SECRET}`,
      "Cannot use the database at postgres://me@no-such-host.invalid/db as there is no such host: check the address",
    ],
    [
      databaseUrl().replace(pathname, "/no_such_database"),
      `Cannot use the database at postgres://${username}@${server}/no_such_database as there is no such database: create it, or check its name`,
    ],
  ];
  for (const [url, message] of cases) {
    assertEquals(await bench("--database-url", url), {
      code: 1,
      stdout: "",
      stderr: `${message}\n`,
    });
  }
});

test("answers a wrong password with one sentence that does not show it", async () => {
  const url = new URL(databaseUrl());
  await using sql = await connect({ max: 1 });
  const [{ method }] = await sql`
    select coalesce((select auth_method from pg_hba_file_rules
      where type like 'host%' and address = '127.0.0.1' limit 1), 'unknown') as method`;
  if (method === "trust") return; // Such a server lets anybody in.
  url.password = SECRET;
  const { code, stdout, stderr } = await bench("--database-url", url.href);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr,
    `Cannot use the database at postgres://${url.username}@${url.host}${url.pathname} as it does not let this user in: check user and password\n`,
  );
});

test("answers a file that cannot be used with one sentence and exit code 1", async () => {
  const missing = await bench("--input", "/no/such/file");
  assertEquals(missing, {
    code: 1,
    stdout: "",
    stderr: "Cannot read the passwords in '/no/such/file' as there is no such file\n",
  });
  await withFile("", async (path) => {
    const { code, stderr } = await bench("--input", path);
    assertEquals([code, stderr], [
      1,
      `Cannot use the passwords in '${path}' as the file is empty\n`,
    ]);
  });
  await withFile("\n\n", async (path) => {
    const { code, stderr } = await bench("--input", path);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      `Cannot use the passwords in '${path}' as none of its 2 lines can be hashed`,
    );
  });
});

test("prints its flags with --help", async () => {
  const { code, stdout, stderr } = await bench("--help");
  assertEquals([code, stderr], [0, ""]);
  for (
    const flag of ["--count N", "--cost C[,C…]", "--modes MODE[,MODE…]", "--input FILE", "--json"]
  ) {
    assertStringIncludes(stdout, `  ${flag} `);
  }
});

test("ends cleanly on Ctrl-C: no table left, nothing printed, exit code 130", async () => {
  const before = await tables();
  const child = start(["--database-url", databaseUrl(), "--cost", "8", "--count", "100000"]);
  const ended = output(child);
  while ((await tables()).length === before.length);
  child.kill("SIGINT");
  assertEquals(await ended, { code: 130, stdout: "", stderr: "" });
  assertEquals(await tables(), before);
});

test("ends with one sentence where the database goes away in the middle", async () => {
  await using sql = await connect({ max: 1 });
  for (const mode of ["serial", "batched", "async", "burst", "pool"]) {
    const before = await tables();
    const child = start([
      ...["--database-url", databaseUrl(), "--cost", "4", "--count", "100000", "--modes", mode],
    ]);
    const ended = output(child);
    let table: string | undefined;
    while (table === undefined) table = (await tables()).find((name) => !before.includes(name));
    // A constraint that fails stands for whatever the server may refuse.
    await sql`alter table ${sql(table)} add constraint small check (id < 50) not valid`;
    const { code, stdout, stderr } = await ended;
    assertEquals([code, stdout], [1, ""], mode);
    assertMatch(stderr, /^Cannot use the database at .* as .*small.*\n$/);
    assertEquals(await tables(), before);
  }
});
