import { alignColumns } from "../cli/columns.ts";
import { grouped } from "../cli/numbers.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { openNats } from "../queue/connection.ts";
import { natsOptions } from "../queue/flags.ts";
import { Streams } from "../queue/streams.ts";
import { FLAGS } from "./flags.ts";

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
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
