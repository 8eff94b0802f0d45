import { type FlagValues, integer, text } from "../cli/flags.ts";
import type { Program } from "../cli/program.ts";
import { UsageError } from "../cli/run.ts";
import {
  checkDatabase,
  cost,
  CREATE_TABLE,
  DATA_DIR,
  HELP,
  LOG_FORMAT,
  WORKERS,
} from "../cli/shared_flags.ts";

/** Sign-ups and log-ins in hand for each worker: some 6 s of hashes at cost 12. */
const QUEUED_PER_WORKER = 32;

export const FLAGS = {
  host: text("HOST", "address to listen on", "127.0.0.1"),
  port: integer("port to listen on; 0 picks a free one", 8000, { min: 0, max: 65_535 }),
  "database-url": text(
    "URL",
    "PostgreSQL with the users, also DATABASE_URL (default: a server of its own, deleted with its data on exit)",
  ),
  "data-dir": DATA_DIR,
  table: text("TABLE", "table of the users, with the columns email and hash", "accounts"),
  "create-table": CREATE_TABLE,
  cost: cost(12),
  workers: WORKERS,
  "max-queued": integer(
    `sign-ups and log-ins in progress before others get 503 (default: ${QUEUED_PER_WORKER} per worker)`,
    undefined,
  ),
  "max-connections": integer("connections at a time; others are closed at once", 400, {
    max: 100_000,
  }),
  "max-body": integer("longest request body", 4_096, { placeholder: "BYTES" }),
  "min-password": integer("fewest characters of a new password", 8, { max: 72 }),
  "guesses-per-user": integer("failed log-ins of a user in 10 minutes", 10),
  "guesses-per-address": integer("failed log-ins from an IP address in 10 minutes", 100),
  "client-header": text("NAME", "header in which your proxy appends the client's address"),
  "header-timeout": integer("time for a client to send the headers of a request", 10, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  "body-timeout": integer("time for a client to send a whole request, and to drain", 20, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  "drain-delay": integer(
    "after SIGTERM, keep serving this long while /healthz already answers 503",
    0,
    { placeholder: "SECONDS", min: 0, max: 3_600 },
  ),
  "log-format": LOG_FORMAT,
  help: HELP,
};

const USAGE = `Serves sign-ups and log-ins: hashes on all cores, saves in bursts, and answers
201 once the row is committed.

Usage: deno run -A scripts/serve.ts [flags]

  POST /users     {"email", "password"}: 201; 409 if the email is taken, 422 if
                  the email or password is invalid
  POST /sessions  {"email", "password"}: 204 if they match, 401 if not
  GET /healthz    200 while the database answers
  GET /metrics    for Prometheus

Under overload it answers 503 with Retry-After, and 429 to who guesses
passwords. On SIGTERM or Ctrl-C it accepts
nothing new, finishes what is in progress, and exits with 0.

Examples:
  deno run -A scripts/serve.ts
  deno run -A scripts/serve.ts --database-url postgres://localhost/shop \\
    --create-table --port 8080

Least permissions, instead of -A:
  --allow-env --allow-net --allow-read
  and --allow-run --allow-sys --allow-write to start a server of its own

Narrower still: --frozen --allow-read=. --allow-net=HOST:PORT,DATABASE:5432`;

export const SERVE: Program = {
  name: "serve",
  description: "serves sign-ups, and stays responsive while it hashes",
  usage: USAGE,
  flags: FLAGS,
  service: true,
};

/** The values of the flags. */
export type Values = FlagValues<typeof FLAGS>;

/** Most requests in hand. */
export function maxQueued({ "max-queued": given, workers }: Values): number {
  return given ?? QUEUED_PER_WORKER * workers;
}

/**
 * Refuses what cannot work whatever the database is like.
 *
 * @throws {UsageError} If it cannot work.
 */
export function checkFlags(flags: Values): void {
  const refuse = (why: string) => new UsageError(`Cannot run this ${why}`);
  checkDatabase(flags);
  if (flags["body-timeout"] < flags["header-timeout"]) {
    throw refuse("as --body-timeout must be at least --header-timeout, which it includes");
  }
}
