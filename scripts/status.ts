/**
 * Tells how many jobs of a queue are waiting, in work, done and dead.
 *
 * ```sh
 * deno run -A scripts/status.ts --nats nats://queue:4222
 * ```
 */
import { helpText, parseFlags, toggle } from "./cli/flags.ts";
import { grouped } from "./cli/numbers.ts";
import { runScript } from "./cli/run.ts";
import { openNats } from "./queue/connection.ts";
import { NATS_FLAGS, required } from "./queue/flags.ts";
import { Streams } from "./queue/streams.ts";

const FLAGS = {
  ...NATS_FLAGS,
  json: toggle("print one JSON object"),
  help: toggle("print this help"),
};

const USAGE = `Tells how many jobs of a queue are waiting, in work, done and dead.

Usage: deno run -A scripts/status.ts --nats URL [flags]`;

export async function main(_signal: AbortSignal, args = Deno.args): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.help) return console.log(helpText(USAGE, FLAGS));
  await using nats = await openNats({ ...flags, nats: required(flags.nats, "nats", "NATS") });
  try {
    const streams = await Streams.open(nats.connection, flags.stream);
    const counts = await streams.count();
    if (flags.json) return console.log(JSON.stringify({ version: 1, ...counts }));
    const rows = [
      ["waiting", counts.waiting],
      ["in work", counts.inWork],
      ["done", counts.done],
      ["dead", counts.dead],
    ] as const;
    const width = Math.max(...rows.map(([, count]) => grouped(count).length));
    for (const [name, count] of rows) {
      console.log(`${name.padEnd(7)}  ${grouped(count).padStart(width)}`);
    }
  } catch (error) {
    throw nats.explain(error);
  }
}

if (import.meta.main) await runScript(main);
