import type { HashPool } from "../../hash_pool.ts";
import { PoolClosedError, WorkError, WorkerStartError } from "../../pool.ts";
import { randomPassword } from "../../workload.ts";
import { UnknownOutcomeError } from "../../batcher.ts";
import { PostgresWriteError } from "../../postgres.ts";
import { rejectionReason } from "../table/table.ts";
import type { ConcurrencyLimit } from "./concurrency_limit.ts";
import { checkNewUser, type Credentials, readCredentials, Refusal } from "./credentials.ts";
import type { Answer, Asked } from "./http_server.ts";
import type { Metrics } from "./metrics.ts";
import type { Users } from "./users.ts";

/** What a service consists of. */
export interface ServiceParts {
  readonly users: Users;
  readonly pool: Pick<HashPool, "hash" | "verify">;
  readonly concurrencyLimit: ConcurrencyLimit;
  readonly metrics: Metrics;
  /** Most bytes of a body. */
  readonly maxBody: number;
  /** Called with a sentence for whoever runs the service. There is nothing of a user in it. */
  readonly log: (sentence: string) => void;
}

type Handler = (asked: Asked) => Promise<Answer>;

/** Answers requests. */
export class Service {
  readonly #parts: ServiceParts;
  /** A hash that is no user's, to be compared where there is no user: that takes as long. */
  readonly #decoy: string;
  readonly #routes: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
    "/users": {
      POST: (asked) => this.#withCredentials(asked, (user) => this.#signUp(user, asked)),
    },
    "/sessions": {
      POST: (asked) => this.#withCredentials(asked, (user) => this.#logIn(user, asked)),
    },
    "/healthz": { GET: () => this.#health() },
    "/metrics": { GET: () => this.#showMetrics() },
  };
  #stopping = false;
  #reachable = true;
  #pinging: Promise<void> | undefined;

  private constructor(parts: ServiceParts, decoy: string) {
    this.#parts = parts;
    this.#decoy = decoy;
  }

  /** Makes a service, once it can answer the first request. */
  static async create(parts: ServiceParts): Promise<Service> {
    return new Service(parts, await parts.pool.hash(randomPassword()));
  }

  /** From now on the health is bad, so that whoever distributes requests sends them elsewhere. */
  stop(): void {
    this.#stopping = true;
  }

  /** Answers a request. Never rejects. */
  async answer(asked: Asked): Promise<Answer> {
    const start = performance.now();
    const isRoute = Object.hasOwn(this.#routes, asked.path);
    const answer = isRoute
      ? await this.#dispatch(this.#routes[asked.path], asked)
      : refused(404, `There is nothing at this path: try ${Object.keys(this.#routes).join(", ")}`);
    const route = isRoute ? asked.path : "other";
    this.#parts.metrics.noteResponse(route, answer.status, performance.now() - start);
    return answer;
  }

  async #dispatch(methods: Readonly<Record<string, Handler>>, asked: Asked): Promise<Answer> {
    const method = asked.method === "HEAD" ? "GET" : asked.method;
    if (!Object.hasOwn(methods, method)) {
      const allow = Object.keys(methods).flatMap((name) => name === "GET" ? [name, "HEAD"] : name)
        .join(", ");
      return refused(405, `This path answers to ${allow}`, { headers: { allow } });
    }
    try {
      return await methods[method](asked);
    } catch (error) {
      return this.#explain(error, asked);
    }
  }

  /** A full house costs next to nothing: the body is not even read. */
  async #withCredentials(
    asked: Asked,
    work: (credentials: Credentials) => Promise<Answer>,
  ): Promise<Answer> {
    const { concurrencyLimit, maxBody } = this.#parts;
    if (!concurrencyLimit.hasRoom) return this.#full();
    const credentials = await readCredentials(asked, maxBody);
    if (!concurrencyLimit.hasRoom) return this.#full();
    using _ = concurrencyLimit.enter();
    return await work(credentials);
  }

  async #signUp(credentials: Credentials, { signal }: Asked): Promise<Answer> {
    const { users, pool } = this.#parts;
    checkNewUser(credentials);
    const { email, password } = credentials;
    const taken = refused(409, "An account with this email exists: log in instead");
    // Known before it is hashed: a taken address costs no hash, and nor does a database that is gone.
    if (await users.has(email)) return taken;
    const hash = await pool.hash(password, { signal });
    try {
      if (await users.add(email, hash) === "skipped") return taken;
    } catch (error) {
      if (error instanceof PostgresWriteError && error.bisectable) {
        return refused(422, rejectionReason(error, hash));
      }
      if ((error as { outcome?: unknown }).outcome !== "unknown") throw error;
      this.#lost(error);
      return this.#later(
        "The account may or may not have been created, as the database did not answer: try to log in, or sign up again",
      );
    }
    this.#found();
    return { status: 201, body: { email } };
  }

  async #logIn({ email, password }: Credentials, { signal }: Asked): Promise<Answer> {
    const isText = email.isWellFormed() && !email.includes("\0");
    const hash = isText ? await this.#parts.users.hashOf(email) : undefined;
    if (await this.#verify(password, hash, signal)) return { status: 204 };
    return refused(401, "The email and password do not match");
  }

  async #verify(password: string, hash: string | undefined, signal: AbortSignal): Promise<boolean> {
    const { pool } = this.#parts;
    if (hash !== undefined) {
      try {
        return await pool.verify(password, hash, { signal });
      } catch (error) {
        // The table has something else in the place of a hash, or one that cannot be computed.
        if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      }
    }
    await pool.verify(password, this.#decoy, { signal });
    return false;
  }

  async #health(): Promise<Answer> {
    if (this.#stopping) return refused(503, "The service is shutting down", { close: true });
    try {
      // Many who ask at once get one answer.
      await (this.#pinging ??= this.#parts.users.ping().finally(() => this.#pinging = undefined));
    } catch (error) {
      this.#lost(error);
      return refused(503, "The database does not answer");
    }
    this.#found();
    return { status: 200, body: { status: "ok" } };
  }

  async #showMetrics(): Promise<Answer> {
    const { metrics } = this.#parts;
    return {
      status: 200,
      body: await metrics.text(),
      headers: { "content-type": metrics.contentType },
    };
  }

  #full(): Answer {
    return this.#later("The service is overloaded: try again later");
  }

  #later(error: string): Answer {
    return refused(503, error, {
      headers: { "retry-after": `${this.#parts.concurrencyLimit.retryAfter}` },
    });
  }

  #explain(error: unknown, { signal }: Asked): Answer {
    if (error instanceof Refusal) return refused(error.status, error.message, error);
    // Nobody reads it.
    if (signal.aborted) return refused(499, "The client has disconnected", { close: true });
    if (error instanceof PoolClosedError) return this.#later("The service is shutting down");
    if (error instanceof WorkError || error instanceof WorkerStartError) {
      this.#parts.log(`A password could not be hashed: ${error.message}`);
      return this.#later("The password could not be hashed: try again");
    }
    if (error instanceof PostgresWriteError || error instanceof UnknownOutcomeError) {
      this.#lost(error);
      return this.#later("The database does not answer: try again later");
    }
    this.#parts.log(
      `A request failed, please report it: ${error instanceof Error ? error.stack : ""}`,
    );
    return refused(500, "The service failed: this is a bug");
  }

  /** Says once that the database is gone, not with every request. */
  #lost(error: unknown): void {
    if (!this.#reachable) return;
    this.#reachable = false;
    this.#parts.log(`The database does not answer: ${error instanceof Error ? error.message : ""}`);
  }

  #found(): void {
    if (this.#reachable) return;
    this.#reachable = true;
    this.#parts.log("The database answers again");
  }
}

function refused(
  status: number,
  error: string,
  { headers, close }: Pick<Answer, "headers" | "close"> = {},
): Answer {
  return { status, body: { error }, headers, close };
}
