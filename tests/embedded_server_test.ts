import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEmbeddedServer } from "../scripts/database/embedded.ts";
import {
  denoFor,
  embeddedTest,
  exists,
  isAlive,
  Script,
  vanishes,
  withData,
  withFolder,
  withSql,
} from "./fixtures/embedded_helpers.ts";
import { ROOT } from "./_needs.ts";
import { processes, processOf } from "./fixtures/programs.ts";

const fixture = fileURLToPath(import.meta.resolve("./fixtures/embedded_script.ts"));

embeddedTest("startEmbeddedServer() starts a server that answers queries", async () => {
  await using server = await startEmbeddedServer({ durable: false });
  const [row] = await withSql(
    server.url,
    (sql) =>
      sql`SELECT 6 * 7 AS answer, current_setting('server_encoding') AS encoding, upper('é') AS upper`,
  );
  assertEquals({ ...row }, { answer: 42, encoding: "UTF8", upper: "É" });
  assertStringIncludes(server.url, `@127.0.0.1:${server.port}/`);
});

embeddedTest("startEmbeddedServer() is durable by default", async () => {
  const settings = (url: string) =>
    withSql(url, async (sql) =>
      (await sql`SELECT setting FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')`).map((row) =>
        row.setting
      ));
  await withData(async (dataDir) => {
    await using fast = await startEmbeddedServer({ dataDir, durable: false });
    assertEquals(await settings(fast.url), ["off", "off", "off"]);
    await fast.stop();
    await using durable = await startEmbeddedServer({ dataDir });
    assertEquals(await settings(durable.url), ["on", "on", "on"]);
  });
});

embeddedTest("startEmbeddedServer() tells what takes time", async () => {
  const messages: string[] = [];
  await withFolder(async (folder) => {
    const options = { dataDir: join(folder, "new", "data"), durable: false };
    const onProgress = (message: string) => void messages.push(message);
    await (await startEmbeddedServer({ ...options, onProgress })).stop();
    assertStrictEquals(messages.pop(), "Creating a database cluster");
    await (await startEmbeddedServer({ ...options, onProgress })).stop();
  });
  assert(!messages.includes("Creating a database cluster"));
});

embeddedTest("startEmbeddedServer() starts several servers at once", async () => {
  const servers = await Promise.all([
    startEmbeddedServer({ durable: false }),
    startEmbeddedServer({ durable: false }),
  ]);
  await using _a = servers[0], _b = servers[1];
  for (const { url, port } of servers) {
    const [row] = await withSql(url, (sql) => sql`SELECT inet_server_port() AS port`);
    assertStrictEquals(row.port, port);
  }
});

embeddedTest("startEmbeddedServer() lets nobody in without the password", async () => {
  await using server = await startEmbeddedServer({ durable: false });
  for (const password of ["", "wrong"]) {
    const url = new URL(server.url);
    url.password = password;
    const error = await assertRejects(() => withSql(url.href, (sql) => sql`SELECT 1`));
    // Without a password the driver itself gives up, when the server asks for one
    if (password !== "") assertStrictEquals((error as { code?: string }).code, "28P01");
  }
  for (const user of ["postgres", "root"]) {
    const url = new URL(server.url);
    url.username = user;
    await assertRejects(() => withSql(url.href, (sql) => sql`SELECT 1`));
  }
});

embeddedTest("startEmbeddedServer() shows the password to no other process", async () => {
  await using server = await startEmbeddedServer({ durable: false });
  const commands = (await processes()).map(({ args }) => args).join("\n");
  assertStringIncludes(commands, server.dataDir);
  assert(!commands.includes(new URL(server.url).password));
  const { mode } = await Deno.stat(server.dataDir);
  assertStrictEquals(mode! & 0o777, 0o700);
});

embeddedTest(
  "EmbeddedServer.stop() ends the server and removes its folder",
  async () => {
    const server = await startEmbeddedServer({ durable: false });
    assert(isAlive(server.pid));
    const stopped = server.stop();
    assertStrictEquals(server.stop(), stopped);
    await stopped;
    assert(!isAlive(server.pid));
    assert(!await exists(server.dataDir));
    await server.stop();
  },
);

embeddedTest("EmbeddedServer.stop() works after the server was killed", async () => {
  const server = await startEmbeddedServer({ durable: false });
  Deno.kill(server.pid, "SIGKILL");
  await server.stop();
  assert(await vanishes(server));
});

embeddedTest("EmbeddedServer.stop() ends a frozen server", async () => {
  const server = await startEmbeddedServer({ durable: false });
  Deno.kill(server.pid, "SIGSTOP");
  await server.stop();
  assert(await vanishes(server));
});

embeddedTest(
  "startEmbeddedServer() keeps the data and the password in dataDir",
  () =>
    withData(async (dataDir) => {
      const first = await startEmbeddedServer({ dataDir, durable: false });
      await withSql(first.url, (sql) => sql`CREATE TABLE kept AS SELECT 42 AS answer`);
      await first.stop();
      await using second = await startEmbeddedServer({ dataDir, durable: false, port: first.port });
      assertStrictEquals(second.url, first.url);
      const rows = await withSql(second.url, (sql) => sql`SELECT answer FROM kept`);
      assertEquals(rows.map((row) => row.answer), [42]);
    }),
);

embeddedTest(
  "startEmbeddedServer() restarts a killed server",
  () =>
    withData(async (dataDir) => {
      const first = await startEmbeddedServer({ dataDir });
      await withSql(first.url, (sql) => sql`CREATE TABLE kept AS SELECT 42 AS answer`);
      Deno.kill(first.pid, "SIGKILL");
      await first.stop();
      await using second = await startEmbeddedServer({ dataDir, port: first.port });
      const rows = await withSql(second.url, (sql) => sql`SELECT answer FROM kept`);
      assertEquals(rows.map((row) => row.answer), [42]);
    }),
);

for (const [ending, code] of [["return", 0], ["exit", 0], ["throw", 1]] as const) {
  embeddedTest(`startEmbeddedServer() leaves nothing after ${ending}`, async () => {
    await using script = new Script([fixture, ending]);
    const server = JSON.parse(await script.line());
    assertStrictEquals(await script.code(), code);
    assert(await vanishes(server));
  });
}

embeddedTest("startEmbeddedServer() leaves nothing after kill -9", async () => {
  await using script = new Script([fixture, "wait"]);
  const server = JSON.parse(await script.line());
  assert(isAlive(server.pid));
  script.kill("SIGKILL");
  assert(await vanishes(server));
});

embeddedTest("startEmbeddedServer() leaves nothing if its shell was killed", async () => {
  await using script = new Script([fixture, "wait"]);
  const server = JSON.parse(await script.line());
  const shell = (await processOf(server.pid)).ppid;
  Deno.kill(shell, "SIGKILL");
  while (isAlive(shell)) await new Promise((resolve) => setTimeout(resolve, 5));
  script.kill("SIGKILL");
  assert(await vanishes(server));
});

for (const end of ["stop", "kill -9"]) {
  embeddedTest(
    `EmbeddedServer ends by ${end} though its lifeline's holder was killed`,
    async () => {
      await using script = new Script([fixture, end === "stop" ? "stop-when-interrupted" : "wait"]);
      const server = JSON.parse(await script.line());
      const shell = (await processOf(server.pid)).ppid;
      const holder = async () => {
        const [found] = (await processes()).filter(({ pid, ppid, args }) =>
          ppid === shell && pid !== server.pid && args !== "" // that one has ended
        );
        return found?.pid ?? 0;
      };
      const killed = await holder();
      assert(killed > 0);
      Deno.kill(killed, "SIGKILL");
      for (let other = killed; !(other !== killed && other > 0);) {
        other = await holder();
      }
      assert(isAlive(server.pid));
      script.kill(end === "stop" ? "SIGINT" : "SIGKILL");
      assert(await vanishes(server));
    },
  );
}

embeddedTest(
  "startEmbeddedServer() leaves the server to a script that is interrupted",
  async () => {
    await using script = new Script([fixture, "save-when-interrupted"]);
    const server = JSON.parse(await script.line());
    assertStrictEquals(await script.line(), "listening");
    script.kill("SIGINT", { group: true });
    assertStrictEquals(await script.line(), "saved 1");
    assert(await vanishes(server));
  },
);

embeddedTest(
  "startEmbeddedServer() works for a new user",
  () =>
    withFolder(async (home) => {
      const uid = 65_534;
      const root = fileURLToPath(import.meta.resolve("../"));
      const files = ["tests/fixtures/embedded_script.ts"];
      for (const folder of ["scripts/database", "scripts/cli"]) {
        for (const { name } of Deno.readDirSync(join(root, folder))) {
          files.push(`${folder}/${name}`);
        }
        await Deno.mkdir(join(home, folder), { recursive: true });
      }
      await Deno.mkdir(join(home, "tests/fixtures"), { recursive: true });
      for (const file of files) await Deno.copyFile(join(root, file), join(home, file));
      await Deno.chown(home, uid, uid);
      await using script = new Script([join(home, files[0]), "wait"], {
        deno: await denoFor(uid, home),
        flags: ["--no-config"],
        env: { HOME: home, DENO_DIR: join(home, "deno"), XDG_CACHE_HOME: "" },
        cwd: home,
        uid,
        gid: uid,
      });
      const server = JSON.parse(await script.line());
      assertStrictEquals((await Deno.stat(server.dataDir)).uid, uid);
      await withSql(server.url, (sql) => sql`SELECT 1`);
      script.kill("SIGKILL");
      assert(await vanishes(server));
    }),
  ROOT,
);

embeddedTest(
  "startEmbeddedServer() runs the server as an ordinary user",
  async () => {
    await using server = await startEmbeddedServer({ durable: false });
    const { uid } = await processOf(server.pid);
    if (!ROOT.met) return assertStrictEquals(uid, Deno.uid());
    const passwd = await Deno.readTextFile("/etc/passwd");
    const [, postgres] = /^postgres:[^:]*:(\d+):/m.exec(passwd) ?? [];
    // Whoever rules the system's PostgreSQL could read the data and the password
    assert(uid > 0 && uid !== Number(postgres));
  },
);
