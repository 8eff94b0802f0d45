import { toggle } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import { HELP } from "../cli/shared_flags.ts";
import { NATS_FLAGS } from "../queue/flags.ts";

export const FLAGS = {
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
  --allow-net --allow-read
  and --allow-env for NATS_URL and the like
Narrower: --allow-net=NATS --allow-read=.`;

export const STATUS: Program = {
  name: "status",
  description: "shows how many jobs are waiting, in progress, done and dead",
  usage: USAGE,
  flags: FLAGS,
};
