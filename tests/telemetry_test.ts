import { assertEquals } from "@std/assert";
import { databaseTest } from "./_database.ts";
import { ServeRun } from "./fixtures/serve_run.ts";

/** A span as a collector of OpenTelemetry gets it. */
interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links?: readonly { readonly spanId: string }[];
}

interface Exported {
  readonly resourceSpans?: readonly { scopeSpans: readonly { spans: readonly Span[] }[] }[];
  readonly resourceMetrics?: readonly {
    scopeMetrics: readonly { metrics: readonly { name: string }[] }[];
  }[];
}

/** Takes what a program exports, over HTTP and in JSON. */
class Collector implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      this.bodies.push(await request.text());
      return Response.json({});
    },
  );

  /** What makes Deno export to it, at the end of a program. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
    };
  }

  #exported(): Exported[] {
    return this.bodies.map((body) => JSON.parse(body));
  }

  get spans(): Span[] {
    return this.#exported().flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    );
  }

  get metrics(): Set<string> {
    return new Set(
      this.#exported().flatMap(({ resourceMetrics = [] }) =>
        resourceMetrics.flatMap(({ scopeMetrics }) =>
          scopeMetrics.flatMap(({ metrics }) => metrics.map(({ name }) => name))
        )
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

databaseTest(
  "serve.ts tells OpenTelemetry of a sign-up: the request, its hash and its burst",
  async (
    _sql,
    schema,
  ) => {
    await using collector = new Collector();
    const args = ["--table", `${schema}.users`, "--create-table"];
    await using run = await ServeRun.start(args, undefined, collector.env);
    assertEquals((await run.signUp("ann@example.com")).status, 201);
    run.kill("SIGTERM");
    assertEquals((await run.output()).code, 0);

    const { spans, metrics } = collector;
    const request = spans.find(({ name }) => name === "/users")!;
    const hash = spans.find(({ name }) => name === "hash")!;
    const burst = spans.find(({ name }) => name === "burst")!;
    assertEquals([hash.traceId, hash.parentSpanId], [request.traceId, request.spanId]);
    assertEquals(burst.links?.map(({ spanId }) => spanId), [request.spanId]);
    const names = ["in_progress", "queue", "in_flight", "size", "duration", "rows"];
    assertEquals(names.filter((name) => !metrics.has(`burst.${name}`)), []);
    assertEquals(collector.bodies.filter((body) => /ann@example|secret|\$2b\$/i.test(body)), []);
  },
);
