/**
 * A sign-up service that stays responsive: hashes on all cores, saves in bursts, and answers 201 once
 * the row is committed.
 *
 * ```sh
 * deno run -A scripts/serve.ts --database-url postgres://localhost/shop --create-table
 * ```
 */
import { runScript } from "./cli/run.ts";
import { serveUsers } from "./serve/serve_users.ts";

export async function main(signal: AbortSignal, args = Deno.args): Promise<void> {
  await serveUsers(signal, args);
}

if (import.meta.main) await runScript(main, { service: true });
