/**
 * Publishes the rows of a file as jobs for `worker.ts`: sealed, each acknowledged by NATS, and none
 * twice.
 *
 * ```sh
 * deno run -A scripts/enqueue.ts users.csv --nats nats://queue:4222 --key-file key --create-stream
 * ```
 */
import { jetstream } from "@nats-io/jetstream";
import { type AsyncBatcher, UnsentError } from "../batcher.ts";
import { helpText, parseFlags } from "./cli/flags.ts";
import { grouped } from "./cli/numbers.ts";
import { Progress } from "./cli/progress.ts";
import { runScript } from "./cli/run.ts";
import { type Input, openInput } from "./input/input.ts";
import { readUsers } from "./input/users.ts";
import { checkRejectsPath, openRejects, type Rejects, tellRejects } from "./input/rejects.ts";
import type { InputRow } from "./input/row.ts";
import { type Nats, openNats } from "./queue/connection.ts";
import { EnqueueAccount, jsonReport, textReport } from "./queue/enqueue_account.ts";
import { FLAGS, makePlan, type Plan, USAGE, type Values } from "./queue/enqueue_flags.ts";
import type { Job } from "./queue/job.ts";
import { readKey } from "./queue/key.ts";
import { jobPublisher, OversizeError, type Published } from "./queue/publisher.ts";
import { Streams } from "./queue/streams.ts";

/** How long jobs that are sent may take to be acknowledged after Ctrl-C, in milliseconds. */
const LAST_ANSWERS = 5_000;

export async function main(signal: AbortSignal, args = Deno.args): Promise<void> {
  const { INPUT, ...flags } = parseFlags(args, FLAGS, ["INPUT"]);
  if (flags.help) return console.log(helpText(USAGE, FLAGS));
  const plan = makePlan(INPUT, flags);
  if (flags.rejects !== undefined) await checkRejectsPath(flags.rejects, plan.path);
  const key = await readKey(plan.keyFile, (sentence) => console.error(sentence));
  const input = await openInput(plan.path);
  await using nats = await openNats({ ...flags, nats: plan.nats });
  try {
    const streams = await Streams.open(nats.connection, flags.stream);
    if (flags["create-stream"]) {
      const dedupWindow = 1_000 * flags["dedup-window"];
      await streams.create({ replicas: flags.replicas, dedupWindow });
    }
    await streams.check();
    await streams.checkKey(key.id);
    const publisher = jobPublisher(jetstream(nats.connection), {
      subject: streams.jobs,
      key,
      maxBytes: nats.connection.info?.max_payload ?? 2 ** 20,
    });
    await publishAll(input, plan, { flags, publisher, nats, signal });
  } catch (error) {
    throw nats.explain(error);
  }
}

async function publishAll(
  input: Input,
  { format, columns }: Plan,
  { flags, publisher, nats, signal }: {
    flags: Values;
    publisher: AsyncBatcher<Job, Published>;
    nats: Nats;
    signal: AbortSignal;
  },
): Promise<void> {
  const account = new EnqueueAccount();
  using progress = new Progress();
  const say = (text: string) => {
    progress[Symbol.dispose]();
    console.error(text);
  };
  using rejects: Rejects = flags.rejects === undefined
    ? tellRejects(say)
    : openRejects(flags.rejects);
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    stop.abort(error);
    void publisher.abort(error);
  };

  function reject(line: number, reason: string): void {
    account.rejected++;
    try {
      rejects.write(line, reason);
    } catch (error) {
      fail(error);
    }
  }

  async function publish(row: InputRow): Promise<void> {
    const { line, id, password } = row;
    const carried = Object.fromEntries(columns.carried.map((name, i) => [name, row.carried[i]]));
    try {
      const sent = publisher.add({ id: String(id), password, carried });
      row.password = "";
      account[await sent]++;
    } catch (error) {
      if (error instanceof OversizeError) return reject(line, error.message);
      const { outcome } = error as { outcome?: string };
      account[
        outcome === "unknown" || !(error instanceof UnsentError) ? "unknown" : "unfinished"
      ]++;
      if (!(error instanceof UnsentError)) fail(error);
    }
  }

  using _limit = limitEnd(publisher, signal);
  const start = performance.now();
  try {
    for await (
      const page of readUsers(input.chunks(ended), {
        format,
        columns,
        literal: false,
        onNote: say,
      })
    ) {
      account.read += page.length;
      let next = 0;
      for (; next < page.length; next++) {
        await publisher.ready;
        if (ended.aborted) break;
        const row = page[next];
        if ("reason" in row) reject(row.line, row.reason);
        else void publish(row);
      }
      account.unfinished += page.length - next;
      if (ended.aborted) break;
      show(progress, account, input);
    }
  } catch (error) {
    failure ??= { error };
  }
  await publisher.close();
  // The last promises settle with the batcher, and are counted after it.
  await new Promise((resolve) => setTimeout(resolve));
  const seconds = (performance.now() - start) / 1_000;
  const complete = failure === undefined && !signal.aborted;
  const { read, done } = account;
  if (read !== done) throw new Error(`Of ${read} rows that were read, ${done} are accounted for`);
  progress[Symbol.dispose]();
  if (read > 0 || failure === undefined) {
    console.log((flags.json ? jsonReport : textReport)({ account, seconds, complete }));
  }
  if (failure !== undefined) throw nats.explain(failure.error);
  if (account.rejected + account.unknown > 0) Deno.exitCode = 1;
}

/** A NATS that is down is waited for, but not for long once the user wants to end. */
function limitEnd(publisher: AsyncBatcher<Job, Published>, signal: AbortSignal): Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    timer = setTimeout(() => void publisher.abort(signal.reason), LAST_ANSWERS);
  };
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  return {
    [Symbol.dispose]() {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
    },
  };
}

function show(progress: Progress, { done }: EnqueueAccount, { size, bytesRead }: Input): void {
  const text = `${grouped(done)} published`;
  progress.bar(size === undefined ? undefined : bytesRead / Math.max(1, size), text);
}

if (import.meta.main) await runScript(main);
