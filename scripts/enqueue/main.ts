import { jetstream } from "@nats-io/jetstream";
import { OutcomeError, type Sink } from "../../batcher.ts";
import { runPipeline } from "../../pipeline.ts";
import type { RowOutcome } from "../../postgres.ts";
import { settled } from "../cli/account.ts";
import { grouped } from "../cli/numbers.ts";
import { Progress } from "../cli/progress.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import { type Input, openInput } from "../input/input.ts";
import { checkRejectsPath, openRejects, tellRejects } from "../input/rejects.ts";
import { type BrokenRow, eachRow, type InputRow, usable } from "../input/row.ts";
import { readUsers } from "../input/users.ts";
import { type Nats, openNats } from "../queue/connection.ts";
import { jsonReport, textReport } from "./report.ts";
import { FLAGS, makePlan, type Plan, type Values } from "./flags.ts";
import type { Job } from "../queue/job.ts";
import { readKey } from "../queue/key.ts";
import { jobPublisher, LAST_ANSWERS, MAX_PENDING } from "../queue/publisher.ts";
import { Streams } from "../queue/streams.ts";
import { readItems, type RunItem } from "../run/items.ts";

type Row = InputRow | RunItem;

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { INPUT, ...flags } = parseFlags(args, FLAGS, ["INPUT"]);
  const plan = makePlan(INPUT, flags);
  if (flags.rejects !== undefined) await checkRejectsPath(flags.rejects, plan.path);
  const warn = (sentence: string) => console.error(sentence);
  const key = await unlessAborted(readKey(plan.keyFile, warn), signal);
  await using input = await unlessAborted(openInput(plan.path), signal);
  await using nats = await openNats(plan.nats, signal);
  try {
    const streams = await Streams.open(nats.connection, flags.stream);
    if (flags["create-stream"]) {
      const dedupWindow = 1_000 * flags["dedup-window"];
      await streams.create({ replicas: flags.replicas, dedupWindow, keyId: key.id });
    }
    const check = (note = (_: string) => {}) => streams.check({ keyId: key.id, note });
    const limits = await check(warn);
    await streams.checkKind(flags.rows, "--rows");
    const publisher = jobPublisher(jetstream(nats.connection), {
      subject: streams.jobs,
      key,
      // A job has to fit where it is dead, too.
      maxBytes: Math.min(limits.jobs, limits.dead, nats.maxPayload),
      checkStream: () => check(),
    });
    await publishAll(input, plan, { flags, publisher, nats, signal });
  } catch (error) {
    throw nats.explain(error);
  }
}

async function publishAll(
  input: Input,
  plan: Plan,
  { flags, publisher, nats, signal }: {
    flags: Values;
    publisher: Sink<Job, RowOutcome>;
    nats: Nats;
    signal: AbortSignal;
  },
): Promise<void> {
  using progress = new Progress();
  const say = (text: string) => {
    progress[Symbol.dispose]();
    console.error(text);
  };
  using rejects = flags.rejects === undefined ? tellRejects(say) : openRejects(flags.rejects);
  let done = 0;
  const start = performance.now();
  const { account, failure } = await settled(runPipeline(
    (signal: AbortSignal): AsyncIterable<Row | BrokenRow> => {
      // What is read ends anywhere then, and that says nothing of the input.
      const onNote = (sentence: string) => signal.aborted || say(sentence);
      const options = { ...plan, onNote };
      const chunks = input.chunks(signal);
      return eachRow<Row | BrokenRow>(
        flags.rows ? readItems(chunks, options) : readUsers(chunks, options),
      );
    },
    {
      compute: (row) => jobOf(usable(row), plan),
      sink: publisher,
      onEnd({ line }, { outcome, error }) {
        if (outcome === "rejected") rejects.write(line, (error as Error).message);
        show(progress, ++done, input);
      },
      maxPending: MAX_PENDING,
      gracePeriod: LAST_ANSWERS,
      signal,
    },
  ));
  const seconds = (performance.now() - start) / 1_000;
  const complete = failure === undefined && !signal.aborted;
  progress[Symbol.dispose]();
  if (account.read > 0 || failure === undefined) {
    print((flags.json ? jsonReport : textReport)({ account, seconds, complete }));
  }
  if (failure !== undefined) {
    const { cause } = failure;
    throw nats.explain(cause instanceof OutcomeError ? cause.cause : cause);
  }
  if (account.rejected + account.unknown > 0) Deno.exitCode = 1;
}

function jobOf(row: Row, { saved }: Plan): Job {
  if ("row" in row) return { id: row.id, carried: row.row! };
  const { id, password, carried } = row;
  row.password = "";
  const entries = saved.carried.map((name, i) => [name, carried[i]]);
  return { id: String(id), password, carried: Object.fromEntries(entries) };
}

function show(progress: Progress, done: number, { size, bytesRead }: Input): void {
  const text = `${grouped(done)} published`;
  progress.bar(size === undefined ? undefined : bytesRead / Math.max(1, size), text);
}
