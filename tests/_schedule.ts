import * as fc from "fast-check";
import {
  type Account,
  AsyncBatcher,
  type AsyncBatcherOptions,
  type Failure,
  type Outcome,
} from "../batcher.ts";
import { fakeClock } from "./_helpers.ts";
import { FickleSink, type Mood, MOODS } from "./fixtures/fickle_sink.ts";

type Step =
  | { do: "add" | "push" | "add and withdraw" | "push and withdraw"; times: number }
  | { do: "flush" | "close" | "abort" | "turn" | "pause" | "resume" };

/** A batcher, what a program does with it, and what the sink does meanwhile. */
export interface Schedule {
  readonly options: AsyncBatcherOptions<number>;
  readonly moods: readonly Mood[];
  readonly steps: readonly Step[];
}

/** All that can be seen from outside once everything is over. */
export interface Observation {
  readonly options: AsyncBatcherOptions<number>;
  readonly sink: FickleSink;
  readonly batcher: AsyncBatcher<number, number>;
  readonly account: Account<number>;
  /** Items that the batcher accepted. */
  readonly accepted: number;
  /** How each item ended, by those who heard of it. Of a pushed item that was saved nobody hears. */
  readonly ends: ReadonlyMap<number, readonly Outcome[]>;
  readonly pushed: ReadonlySet<number>;
  /** What the hook was told. */
  readonly told: readonly Failure<number>[];
  /** How many calls there were when `abort()` returned. */
  readonly callsAtAbort: number | undefined;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom(
          "add" as const,
          "push" as const,
          "add and withdraw" as const,
          "push and withdraw" as const,
        ),
        times: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom("flush" as const, "pause" as const, "resume" as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("close" as const, "abort" as const) }),
    },
  ),
  { maxLength: 25 },
);

const options: fc.Arbitrary<AsyncBatcherOptions<number>> = fc.record({
  maxItems: fc.integer({ min: 1, max: 8 }),
  maxInFlight: fc.integer({ min: 1, max: 3 }),
  maxQueued: fc.integer({ min: 1, max: 10 }),
  maxBytes: fc.constantFrom(Infinity, 9),
  maxQueuedBytes: fc.constantFrom(Infinity, 12),
  linger: fc.constantFrom(0, 1),
  rateLimit: fc.constantFrom(undefined, undefined, { interval: 5, calls: 2 }),
  retry: fc.constantFrom(false as const, { maxAttempts: 3, minDelay: 1, deadline: 1_000 }, {
    maxAttempts: Infinity,
    minDelay: 1,
    maxDelay: 3,
    deadline: 10,
  }),
  idempotent: fc.boolean(),
  bisect: fc.boolean(),
  failFast: fc.constantFrom(false, false, true),
  orderingKey: fc.constantFrom(undefined, (item: number) => item % 3),
  groupBy: fc.constantFrom(undefined, (item: number) => item % 2),
});

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  options,
  moods: fc.array(fc.constantFrom(...MOODS), { minLength: 1, maxLength: 12 }),
  steps,
});

export function sizeOf(item: number): number {
  return item % 4;
}

/** Runs a schedule to its end, on a clock of its own. */
export async function observe(
  { options, moods, steps }: Schedule,
  s: fc.Scheduler,
): Promise<Observation> {
  using clock = fakeClock();
  const sink = new FickleSink(moods, {
    idempotent: options.idempotent!,
    wait: async (mood) => void await s.schedule(Promise.resolve(), mood),
  });
  const told: Failure<number>[] = [];
  const batcher = new AsyncBatcher(sink.send, {
    ...options,
    sizeOf,
    timeout: 30,
    onFailure: (failure) => told.push(failure),
  });
  const ends = new Map<number, Outcome[]>();
  const pushed = new Set<number>();
  const waits: Promise<unknown>[] = [];
  let next = 0, callsAtAbort: number | undefined;

  const end = (item: number, outcome: Outcome) => ends.get(item)!.push(outcome);
  const collect = (failures: readonly Failure<number>[] = []) => {
    for (const { item, outcome } of failures) end(item, outcome);
  };
  function bring(how: Step["do"]): void {
    const item = next++;
    ends.set(item, []);
    const controller = new AbortController();
    const { signal } = controller;
    const outcomeOf = (error: unknown): Outcome =>
      signal.aborted && error === signal.reason
        ? "unsent"
        : (error as { outcome?: Outcome })?.outcome ?? "failed";
    if (how.startsWith("push")) {
      pushed.add(item);
      waits.push(batcher.push(item, { signal }).catch((error) => end(item, outcomeOf(error))));
    } else {
      waits.push(
        batcher.add(item, { signal }).then(
          () => end(item, "saved"),
          (error) => end(item, outcomeOf(error)),
        ),
      );
    }
    if (how.endsWith("withdraw")) controller.abort();
  }
  function run(step: Step): void {
    switch (step.do) {
      case "turn":
        break;
      case "pause":
      case "resume":
        return batcher[step.do]();
      case "flush":
        waits.push(batcher.flush().catch(({ failures }) => collect(failures)));
        break;
      case "close":
        void batcher.close();
        break;
      case "abort":
        void batcher.abort();
        callsAtAbort = sink.calls.length;
        break;
      default:
        for (let i = 0; i < step.times; i++) bring(step.do);
    }
  }
  async function turn(): Promise<void> {
    if (s.count() > 0) await s.waitOne();
    await clock.tickAsync(1);
  }

  for (const step of steps) {
    run(step);
    if (step.do === "turn") await turn();
  }
  let isOver = false;
  const closing = batcher.close();
  void Promise.allSettled([closing, ...waits]).then(() => isOver = true);
  for (let turns = 0; !isOver; turns++) {
    if (turns > 10_000) throw new Error("It does not come to an end");
    await turn();
  }
  const account = await closing;
  collect(account.failures);
  while (s.count() > 0) await turn();
  const { added: accepted } = account;
  return { options, sink, batcher, account, accepted, ends, pushed, told, callsAtAbort };
}
