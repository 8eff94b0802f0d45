/**
 * Shows how many jobs of a queue are waiting, in progress, done and dead.
 *
 * ```sh
 * deno run -A scripts/status.ts --nats nats://queue:4222
 * ```
 */
import { alignColumns } from "./cli/columns.ts";
import { helpText, parseFlags, toggle } from "./cli/flags.ts";
import { grouped } from "./cli/numbers.ts";
import { print } from "./cli/print.ts";
import { runScript } from "./cli/run.ts";
import { HELP } from "./cli/shared_flags.ts";
import { openNats } from "./queue/connection.ts";
import { NATS_FLAGS, natsOptions } from "./queue/flags.ts";
import { Streams } from "./queue/streams.ts";

const FLAGS = {
  ...NATS_FLAGS,
  json: toggle("print JSON"),
  help: HELP,
};

const USAGE = `Shows how many jobs of a queue are waiting, in progress, done and dead.

Usage: deno run -A scripts/status.ts --nats URL [flags]

Examples:
  deno run -A scripts/status.ts --nats nats://queue:4222
  deno run -A scripts/status.ts --nats nats://queue:4222 --stream mail --json

Least permissions, instead of -A:
  --allow-net
  and --allow-env for NATS_URL and the like
Narrower: --allow-net=NATS`;

export async function main(signal: AbortSignal, args = Deno.args): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.help) return print(helpText(USAGE, FLAGS));
  await using nats = await openNats(natsOptions(flags), signal);
  try {
    const streams = await Streams.open(nats.connection, flags.stream);
    const counts = await streams.count();
    if (flags.json) return print(JSON.stringify({ version: 1, ...counts }));
    const rows = [
      ["waiting", grouped(counts.waiting)],
      ["in work", grouped(counts.inWork)],
      ["done", grouped(counts.done)],
      ["dead", grouped(counts.dead)],
    ];
    print(alignColumns(rows).join("\n"));
  } catch (error) {
    throw nats.explain(error);
  }
}

if (import.meta.main) await runScript(main);
