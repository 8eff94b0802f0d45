/** How many requests are made. */
export interface Load {
  /** Connections, each with one request at a time. */
  readonly connections: number;
  /** How long, in seconds. */
  readonly seconds: number;
  /** Requests a second over all connections; without it, each follows its answer. */
  readonly rate?: number;
}

/** The answers of one kind of request: how many milliseconds they took, by status. */
export type Times = Map<number, number[]>;

/** What became of sign-ups. */
export interface SignUps {
  readonly times: Times;
  readonly accepted: Set<string>;
  /** Those that were answered otherwise. */
  readonly refused: Set<string>;
  /** Those that were sent, and not answered: as they failed, or were under way at the end. */
  readonly unanswered: Set<string>;
  /** Requests whose connection broke, or that timed out. */
  readonly failed: number;
  /** Answers without `Retry-After` that should have had one. */
  readonly withoutRetryAfter: number;
  readonly seconds: number;
}

let next = 0;

/** Signs users up, each of them new. */
export async function signUp(url: string, load: Load): Promise<SignUps> {
  const accepted = new Set<string>();
  const refused = new Set<string>();
  const unanswered = new Set<string>();
  let withoutRetryAfter = 0;
  const { times, failed, seconds } = await fire(url, load, [{
    method: "POST",
    path: "/users",
    headers: { "content-type": "application/json" },
    setupRequest(request: Record<string, unknown>, context: { email?: string }) {
      const email = context.email = `user${next++}@example.com`;
      unanswered.add(email);
      return { ...request, body: JSON.stringify({ email, password: `password of ${email}` }) };
    },
    onResponse(
      status: number,
      _body: string,
      { email }: { email: string },
      headers: Record<string, string>,
    ) {
      unanswered.delete(email);
      (status === 201 ? accepted : refused).add(email);
      const names = Object.keys(headers).map((name) => name.toLowerCase());
      if (status === 503 && !names.includes("retry-after")) withoutRetryAfter++;
    },
  }]);
  return { times, accepted, refused, unanswered, failed, withoutRetryAfter, seconds };
}

/** Asks for the health, now and then. */
export async function askHealth(url: string, seconds: number): Promise<Times> {
  const load = { connections: 1, seconds, rate: 20 };
  return (await fire(url, load, [{ method: "GET", path: "/healthz" }])).times;
}

async function fire(
  url: string,
  { connections, seconds, rate }: Load,
  requests: unknown[],
): Promise<{ times: Times; failed: number; seconds: number }> {
  // It reads the environment as soon as it is loaded, which --help must not need.
  const { default: autocannon } = await import("autocannon");
  const times: Times = new Map();
  const start = performance.now();
  const run = autocannon({
    url,
    connections,
    duration: seconds,
    overallRate: rate,
    timeout: 60,
    requests,
  });
  run.on("response", (_client: unknown, status: number, _bytes: number, time: number) => {
    const list = times.get(status);
    if (list === undefined) times.set(status, [time]);
    else list.push(time);
  });
  // Time-outs are among them.
  const { errors: failed } = await run;
  return { times, failed, seconds: (performance.now() - start) / 1_000 };
}
