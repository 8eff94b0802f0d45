import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { ScriptError } from "../scripts/cli/run.ts";
import { openDatabase } from "../scripts/database/connect.ts";
import { rejection } from "./_helpers.ts";
import { DATABASE, databaseUrl } from "./_database.ts";
import { ACCOUNT, type Need, needing, UNIX } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder, withSql } from "./fixtures/embedded_helpers.ts";
import { MortalServer } from "./fixtures/mortal_server.ts";
import { succeeds } from "./fixtures/programs.ts";

const OPENSSL: Need = {
  name: "openssl",
  met: allowed && await succeeds("openssl", ["version"]),
};

/** A server that lets nobody in without TLS; its certificate is for `localhost`, and its own issuer. */
async function startTlsServer(): Promise<MortalServer & { ca: string }> {
  const server = await MortalServer.start();
  const { dataDir } = server;
  const [cert, key] = ["server.crt", "server.key"].map((name) => join(dataDir, name));
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-out", cert];
  await succeeds("openssl", [
    ...[...args, "-keyout", key, "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost"],
  ]);
  const { uid, gid } = await Deno.stat(dataDir);
  for (const file of [cert, key]) {
    if (Deno.uid() === 0) await Deno.chown(file, uid, gid);
    await Deno.chmod(file, 0o600);
  }
  await withSql(server.url, async (sql) => {
    await sql`alter system set ssl = on`;
    const hba = join(dataDir, "pg_hba.conf");
    const lines = (await Deno.readTextFile(hba)).replaceAll(/^host\s/gm, "hostssl ");
    await Deno.writeTextFile(hba, lines);
    await sql`select pg_reload_conf()`;
    // The reload has happened once a new connection sees it.
    while ((await rejectionOf(server.url)) === undefined);
  });
  return Object.assign(server, { ca: cert });
}

/** Why there is no connection to be had; nothing if there is one. */
async function rejectionOf(url: string): Promise<string | undefined> {
  const opening = openDatabase({ url });
  try {
    await using _ = await opening;
  } catch {
    const error = await rejection(opening);
    assert(error instanceof ScriptError, String(error));
    return error.message;
  }
}

waitingTest({
  ...needing("openDatabase() uses TLS as sslmode says", ACCOUNT, UNIX, OPENSSL),
  async fn() {
    await using server = await startTlsServer();
    const { ca } = server;
    const plain = new URL(server.url);
    const address = (host: string, parameters: Record<string, string>) => {
      const url = new URL(plain);
      url.hostname = host;
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return url.href;
    };
    const numbers = plain.hostname;
    const says = "If it wants TLS, add ?sslmode=require to the address";
    for (const parameters of [{}, { sslmode: "disable" }]) {
      const why = await rejectionOf(address(numbers, parameters as Record<string, string>));
      assert(why!.includes("no encryption (28000)") && why!.endsWith(says), why);
    }
    const good: [host: string, parameters: Record<string, string>][] = [
      [numbers, { sslmode: "require" }],
      [numbers, { sslmode: "prefer" }],
      [numbers, { sslmode: "require", sslrootcert: ca }],
      [numbers, { sslmode: "verify-ca", sslrootcert: ca }],
      ["localhost", { sslmode: "verify-full", sslrootcert: ca }],
    ];
    for (const [host, parameters] of good) {
      await using database = await openDatabase({ url: address(host, parameters) });
      const [{ ssl }] = await database
        .sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
      assertEquals(ssl, true);
    }
    const distrusted: [host: string, parameters: Record<string, string>][] = [
      [numbers, { sslmode: "verify-ca" }],
      [numbers, { sslmode: "verify-full", sslrootcert: ca }],
      ["localhost", { sslmode: "verify-full" }],
    ];
    for (const [host, parameters] of distrusted) {
      const why = await rejectionOf(address(host, parameters));
      assert(why!.includes("certificate"), why);
    }
  },
});

Deno.test({
  ...needing("openDatabase() connects through a socket of the file system", DATABASE, UNIX),
  async fn() {
    const { hostname, port, username, password, pathname } = new URL(databaseUrl());
    await withFolder(async (folder) => {
      using listener = Deno.listen({ transport: "unix", path: `${folder}/.s.PGSQL.5432` });
      const relaying = (async () => {
        using client = await listener.accept();
        using server = await Deno.connect({ hostname, port: Number(port) });
        await Promise.allSettled([
          client.readable.pipeTo(server.writable),
          server.readable.pipeTo(client.writable),
        ]);
      })().catch(() => {});
      const url = `postgres://${pathname}?host=${folder}&user=${username}&password=${password}`;
      {
        await using database = await openDatabase({ url });
        assertEquals(database.addresses, [{ path: `${folder}/.s.PGSQL.5432` }]);
      }
      await relaying;
    });
  },
});
