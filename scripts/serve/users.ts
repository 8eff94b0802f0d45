import type { Sql } from "postgres";
import { AsyncBatcher, type BatchReport } from "../../batcher.ts";
import { describeTable, postgresLookup, type RowOutcome } from "../../postgres.ts";
import { ScriptError } from "../cli/run.ts";
import { within } from "../cli/within.ts";
import { tableSinks } from "../table/sinks.ts";
import { makeRow, prepareTable, quoteTable } from "../table/table.ts";
import { fromSpan, tracedSink } from "../telemetry/telemetry.ts";

/** The users in the database. What one of them asks for goes in a burst with what others do. */
export interface Users extends AsyncDisposable {
  /** Whether there is a user with this address. */
  has(email: string): Promise<boolean>;
  /** The hash of a user, if there is one. */
  hashOf(email: string): Promise<string | undefined>;
  /** Saves a user, and resolves once the row is committed. */
  add(email: string, hash: string): Promise<RowOutcome>;
  /** Replaces the hash of a user, unless it has changed meanwhile. */
  replace(email: string, old: string, hash: string): Promise<void>;
  /** Resolves once the database answers. */
  ping(): Promise<void>;
  /** Rows that wait to be sent. */
  readonly queued: number;
  /** Bursts that are out. */
  readonly inFlight: number;
}

/** Options of {@linkcode openUsers}. */
export interface UsersOptions {
  readonly table: string;
  /** Whether a table that is missing is created. */
  readonly create: boolean;
  /** Called after every attempt to save a burst. */
  readonly onBatch: (report: BatchReport) => void;
}

/**
 * In milliseconds: how long an attempt may take, and how long others may follow. Somebody waits for
 * the answer. It is enough for a connection that breaks, and not for a database that is down.
 */
const TIMEOUT = 3_000;
const RETRY_FOR = 3_000;

/** How long closing may take: as long as an attempt, and some more. */
const LAST_SAVES = 5_000;

/** An address as it is stored. */
const EXAMPLE = "ann@example.com";

/** How long the database may take to say that it is there, in milliseconds. */
const PING_TIMEOUT = 2_000;

/**
 * Opens the table of the users.
 *
 * @throws {ScriptError} If it is missing, or cannot hold them.
 */
export async function openUsers(
  sql: Sql,
  { table: name, create, onBatch }: UsersOptions,
): Promise<Users> {
  const target = { table: name, id: "email", hash: "hash", carried: [] };
  await prepareTable(sql, target, { create, numbered: false });
  const { sink } = tableSinks(sql, target, {
    onConflict: "skip",
    linger: 0,
    timeout: TIMEOUT,
    retryFor: RETRY_FOR,
    onSave: onBatch,
  });
  const rows = new AsyncBatcher(tracedSink(sink));
  const lookup = postgresLookup(sql, { table: name, key: "email", columns: ["hash"] });
  await lookup.check();
  const email = (await describeTable(sql, name)).columns.find(({ name }) => name === "email")!;
  if (!await email.keeps(EXAMPLE)) {
    throw new ScriptError(
      `Cannot save users as column 'email' of table '${name}' of type ${email.type} cannot hold an address: make it text`,
    );
  }
  const users = new AsyncBatcher(lookup, { timeout: TIMEOUT, retry: { deadline: RETRY_FOR } });
  const replacement = `update ${quoteTable(name)} set hash = $1 where email = $2 and hash = $3`;
  return {
    has: async (email) => (await users.add(email)).row !== undefined,
    hashOf: async (email) => (await users.add(email)).row?.hash ?? undefined,
    add: (email, hash) => rows.add(fromSpan(makeRow(target, { id: email, hash, carried: [] }))),
    async replace(email, old, hash) {
      await inTime(sql.unsafe(replacement, [hash, email, old]), TIMEOUT);
    },
    ping: () => inTime(sql.unsafe("select 1"), PING_TIMEOUT),
    get queued() {
      return rows.size;
    },
    get inFlight() {
      return rows.inFlight;
    },
    async [Symbol.asyncDispose]() {
      if (await within(LAST_SAVES, Promise.all([rows.close(), users.close()]))) return;
      void rows.abort();
      void users.abort();
    },
  };
}

/** Waits for an answer of the database. What it says of a refusal may be anything, and is dropped. */
async function inTime(answer: Promise<unknown>, limit: number): Promise<void> {
  const isInTime = await within(limit, answer).catch((error) => {
    const { code, severity } = error as { code?: string; severity?: string };
    if (severity === undefined) throw error;
    throw Object.assign(new Error(`it refuses that (${code})`), { code });
  });
  if (!isInTime) throw new Error(`it did not answer for ${limit / 1_000} s`);
}
