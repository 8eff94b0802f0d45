import type { HashPool } from "../../hash_pool.ts";
import { PoolClosedError, WorkError, WorkerStartError } from "../../pool.ts";
import { checkPassword, randomPassword } from "../../workload.ts";
import { UnknownOutcomeError } from "../../batcher.ts";
import { PostgresWriteError } from "../../postgres.ts";
import { inSpan } from "../telemetry/telemetry.ts";
import type { ConcurrencyLimit } from "./concurrency_limit.ts";
import { checkNewUser, type Credentials, GONE, readCredentials, Refusal } from "./credentials.ts";
import type { Guesses } from "./guesses.ts";
import type { Answer, Asked } from "./http_server.ts";
import type { Metrics } from "./metrics.ts";
import type { Users } from "./users.ts";

/** What a service consists of. */
export interface ServiceParts {
  readonly users: Users;
  readonly pool: Pick<HashPool, "hash" | "verify">;
  readonly concurrencyLimit: ConcurrencyLimit;
  readonly guesses: Pick<Guesses, "take">;
  readonly metrics: Metrics;
  /** Most bytes of a body. */
  readonly maxBody: number;
  /** Fewest characters of a new password. */
  readonly minPassword: number;
  /** Called with a sentence for whoever runs the service. There is nothing of a user in it. */
  readonly log: (sentence: string) => void;
}

/**
 * Up to so many steps the cost of a hash is close to the present one. The work of a cheaper hash is
 * less than the difference that can be seen.
 */
const CLOSE = 3;

type Handler = (asked: Asked) => Promise<Answer>;

/** Answers requests. */
export class Service {
  readonly #parts: ServiceParts;
  /**
   * A hash that is no user's, to be compared where there is no user, so that it takes as long. It is as
   * dear as the dearest hash of a user so far.
   */
  #decoy: string;
  /** The cost of new hashes. */
  readonly #cost: number;
  #replaces = true;
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
    this.#cost = costOf(decoy);
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
      ? await inSpan(asked.path, () => this.#dispatch(this.#routes[asked.path], asked))
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

  async #signUp(credentials: Credentials, asked: Asked): Promise<Answer> {
    const { users, pool, guesses, minPassword } = this.#parts;
    checkNewUser(credentials, { minPassword });
    const { email, password } = credentials;
    const guess = guesses.take(asked);
    if ("retryAfter" in guess) return tooMany(guess);
    let isTaken = false;
    try {
      // Known before it is hashed: a taken address costs no hash, and nor does a database that is gone.
      isTaken = await users.has(email);
      if (!isTaken) {
        const hash = await inSpan("hash", () => pool.hash(password, { signal: asked.signal }));
        isTaken = await users.add(email, hash) === "skipped";
      }
    } catch (error) {
      if (error instanceof PostgresWriteError && error.bisectable) {
        this.#parts.log(`A sign-up was refused: ${error.message}`);
        return refused(422, "The account cannot be saved: try another email");
      }
      if ((error as { outcome?: unknown }).outcome !== "unknown") throw error;
      this.#lost(error);
      return this.#later(
        "The account may or may not have been created, as the database did not answer: try to log in, or sign up again",
      );
    } finally {
      // Who asks for addresses until one is taken is guessing too.
      if (!isTaken) guess.giveBack();
    }
    this.#found();
    if (isTaken) return refused(409, "An account with this email exists: log in instead");
    return { status: 201, body: { email } };
  }

  async #logIn(credentials: Credentials, asked: Asked): Promise<Answer> {
    const guess = this.#parts.guesses.take(asked, credentials.email);
    if ("retryAfter" in guess) return tooMany(guess);
    let isWrong = false;
    try {
      const hash = await this.#hashOf(credentials.email);
      isWrong = !await this.#isRight(credentials, hash, asked.signal);
    } finally {
      if (!isWrong) guess.giveBack();
    }
    return isWrong ? refused(401, "The email and password do not match") : { status: 204 };
  }

  async #hashOf(email: string): Promise<string | undefined> {
    if (!email.isWellFormed() || email.includes("\0")) return undefined;
    try {
      return await this.#parts.users.hashOf(email);
    } catch (error) {
      // No user has an address that the column cannot hold.
      if (error instanceof PostgresWriteError && error.bisectable) return undefined;
      throw error;
    }
  }

  async #isRight(
    { email, password, typed }: Credentials,
    hash: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    // A hash from elsewhere may be of the password as it was typed.
    for (const one of new Set([password, typed])) {
      if (!await this.#verify(one, hash, signal)) continue;
      if (costOf(hash!) !== this.#cost || one !== password) {
        await this.#rehash(email, { hash: hash!, password, signal });
      }
      return true;
    }
    return false;
  }

  /** Takes as long for any hash of the same cost or a lower one, and without one. */
  async #verify(password: string, hash: string | undefined, signal: AbortSignal): Promise<boolean> {
    const { pool } = this.#parts;
    const compare = async (hash: string) => {
      try {
        return await pool.verify(password, hash, { signal });
      } catch (error) {
        // The table has something else in the place of a hash, or one that cannot be computed.
        if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
        return false;
      }
    };
    if (hash === undefined) {
      await compare(this.#decoy);
      return false;
    }
    const cost = costOf(hash);
    if (cost > costOf(this.#decoy) && cost <= DEAREST) this.#decoy = withCost(this.#decoy, cost);
    const missing = costOf(this.#decoy) - cost;
    if (missing > CLOSE || Number.isNaN(cost)) {
      const [isRight] = await Promise.all([compare(hash), compare(this.#decoy)]);
      return isRight;
    }
    // Each step of the cost doubles the work, so this adds up to that of the decoy.
    const isRight = await compare(hash);
    for (let i = 0; i < missing && !isRight; i++) await compare(withCost(this.#decoy, cost + i));
    return isRight;
  }

  /** Replaces a hash of another cost or algorithm, now that the password is known. */
  async #rehash(
    email: string,
    { hash, password, signal }: { hash: string; password: string; signal: AbortSignal },
  ): Promise<void> {
    if (!this.#replaces) return;
    try {
      checkPassword(password);
    } catch {
      return; // as the other algorithm takes longer ones
    }
    const { pool, users, log } = this.#parts;
    const fresh = await pool.hash(password, { signal });
    try {
      await users.replace(email, hash, fresh);
    } catch (error) {
      // The log-in is right nevertheless.
      if ((error as { code?: unknown }).code !== "42501") return;
      this.#replaces = false;
      log("Hashes of another cost stay as they are: grant UPDATE on the table to replace them");
    }
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
    if (signal.aborted) return refused(GONE, "The client has disconnected", { close: true });
    if (error instanceof PoolClosedError) return this.#later("The service is shutting down");
    if (error instanceof WorkError || error instanceof WorkerStartError) {
      this.#parts.log(`A password could not be hashed: ${error.message}`);
      return this.#later("The password could not be hashed: try again");
    }
    if (error instanceof PostgresWriteError && !error.retryable) {
      this.#parts.log(`The database refuses a request: ${error.message}`);
      return this.#later("The service cannot use its database: try again later");
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

/** The cost of a hash, `NaN` where it is not bcrypt's. */
function costOf(hash: string): number {
  return Number(/^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$/.exec(hash)?.[1]);
}

/** The highest cost that every log-in is made to wait for: some two seconds. */
const DEAREST = 15;

/** A hash that nobody has the password of, of another cost. */
function withCost(hash: string, cost: number): string {
  return `$2b$${`${cost}`.padStart(2, "0")}$${hash.slice(7)}`;
}

function tooMany({ retryAfter }: { readonly retryAfter: number }): Answer {
  return refused(429, "Too many failed attempts: try again later", {
    headers: { "retry-after": `${retryAfter}` },
  });
}

function refused(
  status: number,
  error: string,
  { headers, close }: Pick<Answer, "headers" | "close"> = {},
): Answer {
  return { status, body: { error }, headers, close };
}
