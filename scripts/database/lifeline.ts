import type { Account } from "./account.ts";

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
  /** Password for a new cluster. An existing one has its own. */
  password: string;
  /** The user to run as, if not this one. */
  account?: Account;
}

/**
 * The child process: it starts the server, and stops it as soon as its standard input ends, because
 * this program wants it to or is no more. No handler for signals or `unload` would do as well, as
 * `kill -9` runs none.
 *
 * Whatever touches the data folder is done here, as the server's user. So nothing is left behind if
 * this program is killed during `initdb`, and root neither reads nor writes in other users' folders.
 *
 * The password for a new cluster is the first line of standard input: arguments and environment are
 * for everybody to see. On standard output appear lines `burst: <event> <detail>`:
 * - `initdb` before a cluster is created,
 * - `password <it>` and `server <pid>` when the server was started,
 * - `failed <what>` before the end, if it is nobody's wish. What the server logged follows.
 */
const SUPERVISOR = String.raw`
umask 077
# A signal to everybody (the terminal's hang-up, a service manager's stop) must not keep this shell
# from cleaning up. initdb and postgres install handlers of their own.
trap '' HUP INT QUIT TERM PIPE
exec 3<&0 </dev/null
IFS= read -r password <&3 || exit

say() { printf 'burst: %s\n' "$*"; }

child= stopping= insisting= signal=
stop() {
  stopping=1
  [ -n "$child" ] && [ -z "$insisting" ] || return
  insist >/dev/null &
  insisting=$!
}
# A process that has just been started ignores the signals that this shell ignores. So they are sent
# until it has ended.
insist() {
  tries=0
  while kill -s "$signal" "$child"; do
    kill -s CONT "$child" # in case somebody has frozen it
    sleep 0.1 || sleep 1
    tries=$((tries + 1))
    [ "$tries" -ne 100 ] || signal=QUIT
  done
}
# Should somebody have killed this shell, then the other end of the lifeline cleans up.
take_over() {
  kill -s QUIT "$(head -n 1 "$data/postmaster.pid")"
  sleep 1
  [ -z "$temporary" ] || rm -rf "$data"
}
trap stop USR1
(while read -r ignored; do :; done; kill -s USR1 $$ || take_over) <&3 >/dev/null &
lifeline=$!
exec 3<&-

run_to_end() {
  child=$1
  [ -z "$stopping" ] || stop
  # A signal ends "wait" early
  while wait "$child"; status=$?; kill -s 0 "$child"; do :; done
  child=
}

finish() {
  kill -s KILL "$lifeline" $insisting
  if [ -n "$temporary" ]; then rm -rf "$data" || { sleep 1; rm -rf "$data"; }; fi
  exit
}

if [ -n "$temporary" ]; then
  mkdir -m 700 "$data" || { say failed mkdir; temporary=; finish; }
elif ! [ -x "$data" ] || ! [ -w "$data" ]; then
  say failed access
  finish
fi

if [ -e "$data/PG_VERSION" ]; then
  IFS= read -r password <"$data/burst_password" || { say failed password; finish; }
else
  say initdb
  signal=TERM # initdb then removes what it has made
  "$bin/initdb" -D "$data" --pwfile=/dev/fd/4 $initdb_args 4<<END 2>&1 &
$password
END
  run_to_end $!
  [ "$status" -eq 0 ] || { say failed initdb; finish; }
  printf '%s\n' "$password" >"$data/burst_password"
  [ -z "$stopping" ] || finish
fi

log=$data/server.log
logged=$(wc -c <"$log" || echo 0)
signal=INT # disconnect everybody and write everything down
[ -z "$temporary" ] || signal=QUIT # nobody will read the data again
"$bin/postgres" -D "$data" "$@" >>"$log" 2>&1 &
say password "$password"
say server $!
run_to_end $!
if [ -n "$temporary" ] && [ "$status" -gt 128 ]; then
  # A server that was killed leaves shared memory behind. Its next start removes that
  sleep 0.1 || sleep 1
  "$bin/postgres" --single -F -D "$data" postgres </dev/null >/dev/null 2>&1
fi
[ -n "$stopping" ] || say failed postgres
tail -c +$((logged + 1)) "$log" | tail -n 100
finish
`;

/** Runs a server that ends with this program, however that ends. */
export class Lifeline {
  /** What the child has reported so far, event by event; see `SUPERVISOR`. */
  readonly reports = new Map<string, string>();
  /** What else was printed: the words of initdb, or the end of the server's log. */
  output = "";
  /** Whether the server is gone, and temporary data too. */
  hasEnded = false;

  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #ended: Promise<void>;

  constructor(options: LifelineOptions) {
    this.#child = supervisor(options).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdout = this.#child.stdout.getReader();
    this.#ended = this.#follow();
    // Should the child be gone already, then its end is all there is to report
    this.#stdin.write(new TextEncoder().encode(`${options.password}\n`)).catch(() => {});
  }

  /** Lets go: reports no more, and no longer keeps this program from ending. */
  async release(): Promise<void> {
    await this.#stdout.cancel();
    this.#child.unref();
  }

  /** Stops the server. Resolves once it is gone, and temporary data too. */
  async end(): Promise<void> {
    this.#child.ref();
    await this.#stdin.close().catch(() => {});
    await this.#ended;
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
  const { bin, dataDir, temporary, initdbArgs, postgresArgs, account } = options;
  if (Deno.build.os === "windows") return windowsSupervisor(options);
  return new Deno.Command("sh", {
    // A list of processes shows this line, not the whole program
    args: ["-c", 'eval "$supervisor"', "burst-postgres", ...postgresArgs],
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
      initdb_args: initdbArgs.join(" "),
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
