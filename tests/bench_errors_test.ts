import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect, databaseUrl } from "./_database.ts";
import { bench, test, withFile } from "./_bench.ts";
import { runHere } from "./fixtures/script_here.ts";

const SECRET = "SECRET";

/** Runs what comes to no connection, which would leave timers behind. */
const here = (...args: string[]) => runHere("bench.ts", args);

test("answers wrong usage with one sentence and exit code 2", async () => {
  const cases: [string[], string][] = [
    [["--cuont", "3"], "Cannot run this as there is no flag '--cuont': did you mean '--count'?"],
    [["--cuont=3"], "Cannot run this as there is no flag '--cuont': did you mean '--count'?"],
    [
      ["--database", "postgres://localhost"],
      "Cannot run this as there is no flag '--database': did you mean '--database-url'?",
    ],
    [["-cost", "4"], "Cannot run this as there is no flag '-cost': did you mean '--cost'?"],
    [
      ["--modes", "serial,brust"],
      "Cannot run this as --modes must be no-io, file, serial, batched, async, burst, pool-no-io or pool, not 'brust': did you mean 'burst'?",
    ],
    [
      ["--preset", "bok"],
      "Cannot run this as --preset must be quick or book, not 'bok': did you mean 'book'?",
    ],
    [["-x"], "Cannot run this as there is no flag '-x': see --help"],
    [["40"], "Cannot run this as it takes no arguments, besides flags: see --help"],
    [
      ["--count", "many"],
      "Cannot run this as --count must be a whole number of at least 1, not 'many'",
    ],
    [["--count=0"], "Cannot run this as --count must be a whole number of at least 1, not '0'"],
    [["--count"], "Cannot run this as --count needs a value"],
    [["--count", "1", "--count", "2"], "Cannot run this as --count is given more than once"],
    [
      ["--cost", "4,40"],
      "Cannot run this as --cost must be a whole number from 4 to 31, not '40'",
    ],
    [
      ["--modes", "serial,best"],
      "Cannot run this as --modes must be no-io, file, serial, batched, async, burst, pool-no-io or pool, not 'best'",
    ],
    [
      ["--latency", "10,fast"],
      "Cannot run this as --latency must be a number of milliseconds from 0 to 5000, not 'fast'",
    ],
    [
      ["--latency=9999"],
      "Cannot run this as --latency must be a number of milliseconds from 0 to 5000, not '9999'",
    ],
    [["--preset", "film"], "Cannot run this as --preset must be quick or book, not 'film'"],
    [
      ["--count", "1,2,3", "--cost", "4,5"],
      "Cannot run this as --count has 3 numbers for 2 costs: give one number, or one for each cost",
    ],
    [
      ["--report", "page.pdf"],
      "Cannot run this as --report must end in .html, not be 'page.pdf'",
    ],
    [
      ["--database-url", `mysql://root:${SECRET}@localhost/x`],
      "Cannot use --database-url as it must be an address like postgres://user:password@host:5432/name",
    ],
  ];
  for (const [args, message] of cases) {
    assertEquals(await here(...args), { code: 2, stdout: "", stderr: `${message}\n` });
  }
});

test("answers a database that cannot be used with one sentence and exit code 1", async () => {
  const { hostname, port, pathname } = new URL(databaseUrl());
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nobody = `127.0.0.1:${(closed.addr as Deno.NetAddr).port}`;
  closed.close();
  const server = `${hostname}:${port}`;
  const cases: [string, string][] = [
    [
      `postgres://me:${SECRET}@${nobody}/db`,
      `Cannot use the database at ${nobody}/db as nothing listens there: check the address, and that the server runs`,
    ],
    [
      `postgres://me:${SECRET}@no-such-host.invalid/db`,
      "Cannot use the database at no-such-host.invalid:5432/db as there is no such host: check the address",
    ],
    [
      databaseUrl().replace(pathname, "/no_such_database"),
      `Cannot use the database at ${server}/no_such_database as there is no such database: create it, or check its name`,
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
    `Cannot use the database at ${url.host}${url.pathname} as it does not let this user in: check user and password\n`,
  );
});

test("answers a file that cannot be used with one sentence and exit code 1", async () => {
  const missing = await here("--input", "/no/such/file");
  assertEquals(missing, {
    code: 1,
    stdout: "",
    stderr: "Cannot read the passwords in '/no/such/file' as there is no such file\n",
  });
  await withFile("", async (path) => {
    const { code, stderr } = await here("--input", path);
    assertEquals([code, stderr], [
      1,
      `Cannot use the passwords in '${path}' as the file is empty\n`,
    ]);
  });
  await withFile("\n\n", async (path) => {
    const { code, stderr } = await here("--input", path);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      `Cannot use the passwords in '${path}' as none of its 2 lines can be hashed`,
    );
  });
});

test("answers a report that cannot be written with one sentence, before it measures", async () => {
  const cases: [string[], string][] = [
    [
      ["--report", "/no/such/folder/page.html"],
      "Cannot write the report to '/no/such/folder/page.html' as there is no such folder",
    ],
    [
      ["--svg", `${import.meta.filename}/figures`],
      `Cannot write the figures to '${import.meta.filename}/figures' as a file is in its way`,
    ],
  ];
  for (const [args, message] of cases) {
    const ended = await bench("--database-url", databaseUrl(), "--count", "100000", ...args);
    assertEquals(ended, { code: 1, stdout: "", stderr: `${message}\n` });
  }
});

test("answers a file that cannot be compared with, before it measures", async () => {
  const missing = await here("--compare", "/no/such/file", "--count", "1000000");
  assertEquals(missing, {
    code: 1,
    stdout: "",
    stderr: "Cannot compare with '/no/such/file' as there is no such file\n",
  });
  for (
    const text of ["", "null", '{"version":2}', '{"version":1,"environment":{},"results":[{}]}']
  ) {
    await withFile(text, async (path) => {
      const { code, stderr } = await here("--compare", path, "--count", "1000000");
      assertEquals([code, stderr], [
        1,
        `Cannot compare with '${path}' as it is not the output of --json: make one with --json > FILE\n`,
      ], text);
    });
  }
});
