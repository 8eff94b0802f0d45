import type { Account } from "./account.ts";
import { SUPERVISOR } from "./supervisor.ts";

/** What a {@linkcode Lifeline} runs. */
export interface LifelineOptions {
  /** Folder with `initdb` and `postgres`. */
  bin: string;
  /** Arguments for `initdb`, should the data folder hold no cluster. None may contain a blank. */
  initdbArgs: readonly string[];
  /** Arguments for `postgres`. */
  postgresArgs: readonly string[];
  /** Folder with the data. */
  dataDir: string;
  /** Whether the folder is created first and removed at the end. */
  temporary: boolean;
  /** Archive with a cluster to copy instead of running `initdb`. For temporary folders only. */
  template?: string;
  /** File to write such an archive to, instead of starting a server. */
  archive?: string;
  /** Superuser of a new cluster. */
  user: string;
  /** Password for a new cluster. An existing one has its own. */
  password: string;
  /** The user to run as, if not this one. */
  account?: Account;
}

/** Runs a server that ends with this program, however that ends. */
export class Lifeline {
  /** What the child has reported so far, event by event; see `SUPERVISOR`. */
  readonly reports = new Map<string, string>();
  /** What else was printed: the words of initdb, or the end of the server's log. */
  output = "";
  /** Whether the server is gone, and temporary data too. */
  hasEnded = false;
  /** Resolves when {@linkcode hasEnded}. */
  readonly ended: Promise<void>;

  /** Folder with the data. */
  readonly dataDir: string;

  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

  constructor(options: LifelineOptions) {
    this.dataDir = options.dataDir;
    this.#child = supervisor(options).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdout = this.#child.stdout.getReader();
    this.ended = this.#follow();
    // Should the child be gone already, then its end is all there is to report
    this.#stdin.write(new TextEncoder().encode(`${options.password}\n`)).catch(() => {});
  }

  /** Lets go: reports no more, and no longer keeps this program from ending. */
  async release(): Promise<void> {
    await this.#stdout.cancel();
    this.#unlessEnded(() => this.#child.unref());
  }

  /** Stops the server. Resolves once it is gone, and temporary data too. */
  async end(): Promise<void> {
    this.#unlessEnded(() => this.#child.ref());
    await this.#stdin.close().catch(() => {});
    await this.ended;
  }

  /** While a child ends, Deno has nothing any more that could be held or let go, and throws. */
  #unlessEnded(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #follow(): Promise<void> {
    const decoder = new TextDecoder();
    let line = "";
    for (let chunk; !(chunk = await this.#stdout.read()).done;) {
      const lines = (line + decoder.decode(chunk.value, { stream: true })).split("\n");
      line = lines.pop()!;
      for (const line of lines) {
        const [, event, detail] = /^burst: (\S+) ?(.*)$/.exec(line) ?? [];
        if (event) this.reports.set(event, detail);
        else this.output += `${line}\n`;
      }
    }
    this.output += line;
    await this.#child.status;
    this.hasEnded = true;
  }
}

function supervisor(options: LifelineOptions): Deno.Command {
  const { bin, dataDir, temporary, template, archive, user, account } = options;
  if (Deno.build.os === "windows") return windowsSupervisor(options);
  return new Deno.Command("sh", {
    // A list of processes shows this line, not the whole program
    args: ["-c", 'eval "$supervisor"', "burst-postgres", ...options.postgresArgs],
    // Nothing of this program's environment, which may hold secrets, concerns the server's user
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
      LC_ALL: "C",
      TZ: "UTC",
      supervisor: SUPERVISOR,
      bin,
      data: dataDir,
      temporary: temporary ? "yes" : "",
      template: template ?? "",
      archive: archive ?? "",
      user,
      initdb_args: options.initdbArgs.join(" "),
    },
    cwd: "/", // the current folder may be closed to the server's user
    uid: account?.uid,
    gid: account?.gid,
    detached: true, // in a session of its own, Ctrl-C in the terminal does not reach it
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  });
}

/** Windows has neither `sh` nor signals. There, a Deno of its own does the same. */
function windowsSupervisor({ bin, dataDir, temporary, initdbArgs, postgresArgs }: LifelineOptions) {
  const program = import.meta.resolve("./windows_supervisor.ts");
  const task = JSON.stringify({ bin, dataDir, temporary, initdbArgs, postgresArgs });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-lock", "--allow-all", program, task],
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  });
}
