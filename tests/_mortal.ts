// Tests with a server of their own that may be killed, frozen and started again.
import type { Sql } from "postgres";
import { postgresOptions } from "../postgres.ts";
import { connect } from "./_database.ts";
import { allReturned } from "./_faults.ts";
import { type Need, needing, UNIX } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { MortalServer } from "./fixtures/mortal_server.ts";

/** A test with a server, and a connection to it. */
export function serverTest(
  name: string,
  fn: (server: MortalServer, sql: Sql) => Promise<void>,
  { settings, needs = [] }: { settings?: Record<string, number>; needs?: readonly Need[] } = {},
): void {
  waitingTest({
    ...needing(name, UNIX, ...needs),
    async fn() {
      await using server = await MortalServer.start(settings);
      await using sql = await connectTo(server);
      await fn(server, sql);
      await allReturned();
    },
  });
}

/** Connections that survive it when others are broken, as is recommended. */
export function connectTo(
  { address }: MortalServer,
  options: Parameters<typeof connect>[0] = {},
): ReturnType<typeof connect> {
  return connect({ ...address, ...postgresOptions, ...options });
}
