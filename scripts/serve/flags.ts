import { integer, type parseFlags, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";

/** Sign-ups and log-ins in hand for each worker: some 6 s of hashes at cost 12. */
const QUEUED_PER_WORKER = 32;

export const FLAGS = {
  host: text("HOST", "address to listen on", "127.0.0.1"),
  port: integer("port to listen on; 0 for any that is free", 8000, { min: 0, max: 65_535 }),
  "database-url": text("URL", "the PostgreSQL with the users, also DATABASE_URL"),
  "data-dir": text("DIR", "use a server of its own, whose data stay in this folder"),
  table: text("TABLE", "table of the users, with the columns email and hash", "users"),
  "create-table": toggle("create the table if it is missing"),
  cost: integer("bcrypt cost from 4 to 31; each more takes twice the time", 12, {
    placeholder: "C",
    min: 4,
    max: 31,
  }),
  workers: integer("threads that hash", navigator.hardwareConcurrency, { max: 1_000 }),
  "max-queued": integer(
    `requests in hand above which others get 503; without it, ${QUEUED_PER_WORKER} for each worker`,
    undefined,
  ),
  "max-body": integer("most bytes of a body", 4_096, { placeholder: "BYTES" }),
  "header-timeout": integer("seconds that a client has to send the head of a request", 10, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  "body-timeout": integer("seconds that a client has to send a whole request", 20, {
    placeholder: "SECONDS",
    max: 3_600,
  }),
  "drain-delay": integer(
    "seconds to go on answering after SIGTERM, while /healthz says 503 already",
    0,
    { placeholder: "SECONDS", min: 0, max: 3_600 },
  ),
  help: toggle("print this help"),
};

export const USAGE =
  `Serves sign-ups and log-ins: hashes on all cores, saves in bursts, answers 201 once a row is committed.

Usage: deno run -A scripts/serve.ts [flags]

  POST /users      {"email", "password"}: 201, 409 if the e-mail is taken, 422 if one is unusable
  POST /sessions   {"email", "password"}: 204 if they belong together, 401 if not
  GET /healthz     200 while the database answers
  GET /metrics     for Prometheus

When more is asked than can be hashed it answers 503 with Retry-After. SIGTERM or Ctrl-C: it takes
nothing more, finishes what it has, and exits with 0. Without a database it starts one of its own,
whose data are gone with it unless there is a --data-dir.`;

/** The values of the flags. */
export type Values = ReturnType<typeof parseFlags<typeof FLAGS>>;

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
  if (flags["database-url"] !== undefined && flags["data-dir"] !== undefined) {
    throw refuse("with both --database-url and --data-dir: the users are in one of them");
  }
  if (flags["body-timeout"] < flags["header-timeout"]) {
    throw refuse("as --body-timeout must not be shorter than --header-timeout, which it includes");
  }
}
