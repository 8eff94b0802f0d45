import { assert, assertEquals, assertRejects } from "@std/assert";
import { ScriptError, UsageError } from "../scripts/cli/run.ts";
import { readDatabaseAddress } from "../scripts/database/address.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import { allowed } from "./_permissions.ts";

const SOURCE = "--database-url";

function read(text: string, env: Record<string, string> = {}) {
  return readDatabaseAddress(text, SOURCE, (name) => env[name]);
}

const PLAIN = {
  host: ["h"],
  port: [5432],
  ssl: false,
  prepare: true,
  connect_timeout: 10,
  connection: { application_name: "burst" },
};

Deno.test("readDatabaseAddress() reads addresses as libpq does", async () => {
  const cases: [string, Record<string, unknown>][] = [
    ["postgres://h", {}],
    ["postgresql://u:p%2Fw@h:5433/my%20db", {
      user: "u",
      password: "p/w",
      port: [5433],
      database: "my db",
    }],
    ["postgres://a:1,b:2,c/d", { host: ["a", "b", "c"], port: [1, 2, 5432], database: "d" }],
    ["postgres://[::1]:6000/d", { host: ["::1"], port: [6000], database: "d" }],
    ["postgres:///d?host=/run/postgresql&port=5433", {
      host: ["/run/postgresql"],
      path: "/run/postgresql/.s.PGSQL.5433",
      port: [5433],
      database: "d",
    }],
    ["postgres://%2Ftmp/d", { host: ["/tmp"], path: "/tmp/.s.PGSQL.5432", database: "d" }],
    ["postgres://h?user=u&password=p&dbname=d", { user: "u", password: "p", database: "d" }],
    ["postgres://h?sslmode=require", { ssl: "require" }],
    ["postgres://h?sslmode=prefer", { ssl: "prefer" }],
    ["postgres://h?sslmode=disable&channel_binding=prefer", {}],
    ["postgres://h?sslmode=verify-full", { ssl: { rejectUnauthorized: true } }],
    ["postgres://h?sslrootcert=system", { ssl: { rejectUnauthorized: true } }],
    ["postgres://h?pgbouncer=true", { prepare: false }],
    ["postgres://h?target_session_attrs=any", {}],
    ["postgres://h?target_session_attrs=read-write", { target_session_attrs: "read-write" }],
    ["postgres://h?options=-c%20statement_timeout%3D5s&application_name=x&connect_timeout=3", {
      connect_timeout: 3,
      connection: { application_name: "x", options: "-c statement_timeout=5s" },
    }],
  ];
  for (const [text, settings] of cases) {
    assertEquals<unknown>(await read(text), { ...PLAIN, ...settings }, text);
  }
});

Deno.test("readDatabaseAddress() adds what the environment says, and the address goes first", async () => {
  const env = {
    PGUSER: "u",
    PGPASSWORD: "p",
    PGSSLMODE: "require",
    PGOPTIONS: "-c a=b",
    PGPORT: "1",
  };
  assertEquals<unknown>(await read("postgres://h:2", env), {
    ...PLAIN,
    port: [2],
    user: "u",
    password: "p",
    ssl: "require",
    connection: { application_name: "burst", options: "-c a=b" },
  });
  assertEquals((await read("postgres://x@h?sslmode=disable", env)).ssl, false);
});

Deno.test("readDatabaseAddress() refuses by name what is not supported", async () => {
  const cases: [string, Record<string, string>, string][] = [
    ["postgres://h?channel_binding=require", {}, "'channel_binding'"],
    ["postgres://h?krbsrvname=x", {}, "'krbsrvname'"],
    ["postgres://h?sslmode=maybe", {}, "'sslmode' must be one of disable, allow, prefer, require"],
    ["postgres://h?sslmode=require&sslmode=disable", {}, "'sslmode' twice"],
    ["postgres://h?connect_timeout=0", {}, "'connect_timeout'"],
    ["postgres://h?target_session_attrs=master", {}, "'target_session_attrs' must be one of any"],
    ["postgres://h", { PGTARGETSESSIONATTRS: "master" }, "'target_session_attrs' must be one of"],
    ["postgres://h?pgbouncer=yes", {}, "'pgbouncer' must be true or false"],
    ["postgres://h", { PGSERVICE: "prod" }, "PGSERVICE is set"],
    ["postgres://h", { PGGSSENCMODE: "require" }, "'gssencmode'"],
    ["postgres://h", { PGCLIENTENCODING: "LATIN1" }, "'client_encoding'"],
    ["postgres://h?host=/a", {}, "has 'host' twice"],
    ["postgres:///d?host=/a,/b", {}, "a socket cannot be one of several hosts"],
    ["postgres://h:70000", {}, "must be an address like"],
  ];
  for (const [text, env, why] of cases) await assertRejects(() => read(text, env), UsageError, why);
});

Deno.test("readDatabaseAddress() shows nothing of an address that cannot be read", async () => {
  const cut = "must have it percent-encoded";
  const cases: [string, string][] = [
    ["postgres://u:2024/S3CRET@h/d", cut],
    ["postgres://u:2024?S3CRET@h/d", cut],
    ["postgres://u:2024#S3CRET@h/d", cut],
    ["postgres://u:S3CR@ET@h/d/e?f@g", "must be an address like"],
    ["postgres:u:S3CRET@h/d", "must be an address like"],
    ["u:S3CRET@h/d", "must be an address like"],
    ["http://u:S3CRET@h/d", "must be an address like"],
    ["postgres://u:S3CRET%ss@h/d", "write %25"],
    ["postgres://u:S3CRET@h:port/d", "must be an address like"],
    ["S3CRET", "must be an address like"],
    ["postgres://u:S3CRET@h/d\n", "must not have a line break"],
    ["postgres://u:S3CR%00ET@h/d", "must not have a line break"],
    ["", "must be an address like"],
  ];
  for (const [text, why] of cases) {
    const error = await assertRejects(() => read(text), UsageError, why);
    assert(!/S3CR|2024|ET/.test(error.message.replace(/postgres:\/\/\S+/g, "")), error.message);
  }
});

Deno.test(
  "readDatabaseAddress() takes the password from PGPASSFILE",
  { ignore: !allowed },
  async () => {
    await withFolder(async (folder) => {
      const file = `${folder}/pgpass`;
      await Deno.writeTextFile(
        file,
        "# mine\nother:*:*:*:wrong\nh:5432:d:u:s\\:e\\\\c\n*:*:*:*:any\n",
      );
      const env = { PGPASSFILE: file };
      assertEquals((await read("postgres://u@h/d", env)).password, "s:e\\c");
      assertEquals((await read("postgres://u@h/e", env)).password, "any");
      assertEquals((await read("postgres://u:own@h/d", env)).password, "own");
      await assertRejects(
        () => read("postgres://u@h", { PGPASSFILE: `${folder}/none` }),
        ScriptError,
        "Cannot read PGPASSFILE as there is no such file",
      );
      await assertRejects(
        () => read("postgres://h?sslmode=verify-ca", { PGSSLROOTCERT: `${folder}/none` }),
        ScriptError,
        "there is no such file",
      );
    });
  },
);
