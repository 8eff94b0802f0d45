import type { Batch, Send, Sink } from "../../batcher.ts";

/** The part of OpenTelemetry's API that is used. */
interface Api {
  readonly trace: {
    getTracer(name: string): Tracer;
    setSpan(context: unknown, span: Span): unknown;
    getActiveSpan(): Span | undefined;
  };
  readonly context: { active(): unknown; with<T>(context: unknown, fn: () => T): T };
  readonly metrics: { getMeter(name: string): Meter };
}

interface Tracer {
  startSpan(
    name: string,
    options?: { attributes?: Attributes; links?: readonly { context: SpanContext }[] },
  ): Span;
}

type Attributes = Readonly<Record<string, string | number>>;
type SpanContext = object;

interface Span {
  spanContext(): SpanContext;
  setAttributes(attributes: Attributes): void;
  setStatus(status: { code: number }): void;
  end(): void;
}

interface Instrument {
  add(value: number, attributes?: Attributes): void;
  record(value: number, attributes?: Attributes): void;
}

interface Meter {
  createCounter(name: string, options: { description: string; unit?: string }): Instrument;
  createUpDownCounter(name: string, options: { description: string }): Instrument;
  createHistogram(name: string, options: { description: string; unit?: string }): Instrument;
}

// A specifier that Deno cannot read beforehand: who does not ask for telemetry downloads nothing.
const OPENTELEMETRY = "npm:@opentelemetry/api@^1.9.0";

/** Set where `OTEL_DENO=true`, or where another SDK has registered itself. */
const isOn = Symbol.for("opentelemetry.js.api.1") in globalThis;

const telemetry = isOn ? await open() : undefined;

async function open() {
  const { trace, context, metrics }: Api = await import(OPENTELEMETRY);
  const meter = metrics.getMeter("burst");
  return {
    trace,
    context,
    tracer: trace.getTracer("burst"),
    inProgress: meter.createUpDownCounter("burst.in_progress", {
      description: "Requests in hand, and items that are computed or wait for a thread",
    }),
    queued: meter.createUpDownCounter("burst.queue", {
      description: "Rows that are computed and have not been sent",
    }),
    inFlight: meter.createUpDownCounter("burst.in_flight", { description: "Bursts in flight" }),
    size: meter.createHistogram("burst.size", { description: "Rows in a burst" }),
    duration: meter.createHistogram("burst.duration", {
      description: "From sending a burst to its answer",
      unit: "ms",
    }),
    rows: meter.createCounter("burst.rows", { description: "Rows by what became of them" }),
  };
}

/** Which span a row comes from, until it is sent. */
const origins = new WeakMap<object, SpanContext>();

/** Status of a span whose work failed: the error itself may tell a secret. */
const FAILED = { code: 2 };

/** Does something in a span of its own. Without telemetry this only calls the function. */
export function inSpan<T>(name: string, fn: () => Promise<T>): Promise<T> {
  return telemetry === undefined ? fn() : traced(name, fn);
}

async function traced<T>(name: string, fn: () => Promise<T>): Promise<T> {
  const { trace, context, tracer, inProgress } = telemetry!;
  const span = tracer.startSpan(name);
  inProgress.add(1, { work: name });
  try {
    return await context.with(trace.setSpan(context.active(), span), fn);
  } catch (error) {
    span.setStatus(FAILED);
    throw error;
  } finally {
    inProgress.add(-1, { work: name });
    span.end();
  }
}

/** Links the burst that will have this row to the span that is active now. */
export function fromSpan<T>(row: T): T {
  const span = telemetry?.trace.getActiveSpan();
  if (span === undefined || typeof row !== "object" || row === null) return row;
  telemetry!.queued.add(1);
  origins.set(row, span.spanContext());
  return row;
}

/** A sink each of whose bursts has a span and is counted. Without telemetry it is the same sink. */
export function tracedSink<T, R>(sink: Sink<T, R> | Send<T, R>): Sink<T, R> {
  const own = typeof sink === "function" ? { send: sink } : sink;
  if (telemetry === undefined) return own;
  return { ...own, send: (items, batch) => sent(items, batch, () => own.send(items, batch)) };
}

async function sent<T>(
  items: readonly unknown[],
  { attempt }: Batch,
  send: () => Promise<T>,
): Promise<T> {
  const { trace, context, tracer, queued, inFlight, size, duration, rows } = telemetry!;
  const links = items.flatMap((item) => {
    const origin = origins.get(item as object);
    return origin === undefined ? [] : { context: origin };
  });
  if (attempt === 1) queued.add(-links.length);
  const attributes = { "burst.size": items.length, "burst.attempt": attempt };
  const span = tracer.startSpan("burst", { attributes, links });
  inFlight.add(1);
  size.record(items.length);
  const start = performance.now();
  try {
    const results = await context.with(trace.setSpan(context.active(), span), send);
    const outcomes = Array.isArray(results) ? results.map(outcomeOf) : items.map(() => "saved");
    for (const outcome of new Set(outcomes)) {
      rows.add(outcomes.filter((one) => one === outcome).length, { outcome });
    }
    return results;
  } catch (error) {
    rows.add(items.length, { outcome: "failed attempt" });
    span.setStatus(FAILED);
    throw error;
  } finally {
    duration.record(performance.now() - start);
    inFlight.add(-1);
    span.end();
  }
}

function outcomeOf(result: unknown): string {
  return result instanceof Error ? "rejected" : typeof result === "string" ? result : "saved";
}
