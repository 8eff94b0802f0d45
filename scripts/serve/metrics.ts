import { Gauge, Histogram, Registry } from "prom-client";
import type { BatchReport } from "../../batcher.ts";
import { watchLoopDelay } from "../measure/loop_delay.ts";

/** Values that are read when they are asked for. */
export interface Gauges {
  /** Passwords waiting for a worker, and those that the workers have. */
  readonly hashing: { readonly size: number; readonly inFlight: number };
  /** Rows waiting to be sent, and bursts that are out. */
  readonly saving: { readonly queued: number; readonly inFlight: number };
  /** Requests in hand, most of them, and connections. */
  readonly requests: {
    readonly inHand: number;
    readonly max: number;
    readonly connections: number;
  };
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const ROWS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** Milliseconds between two looks at the event loop: a service that idles should not be busy with it. */
const LOOP_INTERVAL = 50;

/** What the service tells Prometheus. */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #responses = this.#histogram({
    name: "burst_http_response_seconds",
    help: "Time from a request's headers to its answer",
    labelNames: ["route", "status"],
    buckets: SECONDS,
  });
  readonly #rows = this.#histogram({
    name: "burst_batch_rows",
    help: "Rows in a burst, for every attempt to save it",
    labelNames: ["outcome"],
    buckets: ROWS,
  });
  readonly #saves = this.#histogram({
    name: "burst_batch_seconds",
    help: "Time the database took to save a burst",
    labelNames: ["outcome"],
    buckets: SECONDS,
  });
  readonly #delays = this.#histogram({
    name: "burst_event_loop_delay_seconds",
    help: "How late timers fire: meanwhile nothing else is served",
    labelNames: [],
    buckets: SECONDS,
  });
  readonly #unwatch: () => void;

  constructor({ hashing, saving, requests }: Gauges) {
    this.#gauge(
      "burst_requests_in_hand",
      "Sign-ups and log-ins in progress",
      () => requests.inHand,
    );
    this.#gauge(
      "burst_requests_max",
      "Most requests in progress; others get 503",
      () => requests.max,
    );
    this.#gauge("burst_connections", "Open connections", () => requests.connections);
    this.#gauge("burst_hash_queue", "Passwords waiting for a worker", () => hashing.size);
    this.#gauge("burst_hash_in_flight", "Passwords being hashed", () => hashing.inFlight);
    this.#gauge("burst_save_queue", "Rows waiting to be sent", () => saving.queued);
    this.#gauge("burst_batches_in_flight", "Bursts being saved", () => saving.inFlight);
    const observe = (delay: number) => this.#delays.observe(delay / 1_000);
    this.#unwatch = watchLoopDelay(observe, { interval: LOOP_INTERVAL });
  }

  /** The type of the text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Notes an answer, and how many milliseconds it took. */
  noteResponse(route: string, status: number, duration: number): void {
    this.#responses.observe({ route, status }, duration / 1_000);
  }

  /** Notes an attempt to save a burst. */
  noteBatch({ outcome, size, duration }: BatchReport): void {
    this.#rows.observe({ outcome }, size);
    this.#saves.observe({ outcome }, duration / 1_000);
  }

  [Symbol.dispose](): void {
    this.#unwatch();
  }

  #histogram<L extends string>(
    options: { name: string; help: string; labelNames: L[]; buckets: number[] },
  ): Histogram<L> {
    return new Histogram({ ...options, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }
}
