import { DataDirError, EmbeddedServerError } from "./embedded_server_error.ts";

/** What is known about a start that failed. */
export interface StartFailure {
  /** The step that failed, as `lifeline.ts` calls it, unless the whole child was killed. */
  step?: string;
  /** What initdb said, or the end of the server's log. */
  output: string;
  /** The number of the signal that has ended the server, if one has. */
  signal?: string;
  dataDir: string;
  port: number;
  /** The user that the server was to run as, if not this one. */
  user?: string;
}

/** The port is not free. */
export class PortTakenError extends EmbeddedServerError {}

/** Turns a failed start into one sentence. */
export function explainFailure(failure: StartFailure): EmbeddedServerError {
  const { step, output, signal, dataDir, port, user } = failure;
  const folder = `'${dataDir}' as the data folder`;
  switch (step) {
    case "mkdir":
      return new EmbeddedServerError(
        `Cannot create the temporary folder '${dataDir}': set TMPDIR to a folder that can be written`,
      );
    case "access": {
      const whom = user ? `the user '${user}', whom PostgreSQL runs as here,` : "this user";
      return new EmbeddedServerError(
        `Cannot use ${folder} as ${whom} cannot write there: choose another folder`,
      );
    }
    case "password":
      return new DataDirError(
        `Cannot use ${folder} as somebody else has created the PostgreSQL cluster in it (there is no file 'burst_password' to read): choose another folder`,
      );
    case "initdb":
      if (/could not look up effective user ID/.test(output)) {
        return new EmbeddedServerError(
          "Cannot create a database cluster as this user has no entry in /etc/passwd, which PostgreSQL asks for: add one or pass --database-url",
        );
      }
      return new EmbeddedServerError(
        `Cannot create a database cluster in '${dataDir}': ${telling(output)}`,
      );
  }
  const rival = /Is another post\w+ \(PID (\d+)\) running/.exec(output)?.[1];
  if (rival !== undefined) {
    return new DataDirError(
      `Cannot use ${folder} as another PostgreSQL server, process ${rival}, is using it`,
    );
  }
  if (/pre-existing shared memory block .* still in use/.test(output)) {
    return new DataDirError(
      `Cannot use ${folder} as processes of a PostgreSQL server that was killed are still using it: end them, or wait until they have ended`,
    );
  }
  const reason = signal === undefined || COMPLAINT.test(output)
    ? telling(output)
    : `signal ${signal} has ended it`;
  if (/could not bind .*(in use|EADDRINUSE|10048)/.test(output)) {
    return new PortTakenError(
      `Cannot start PostgreSQL on port ${port} as another program is using it: ${reason}`,
    );
  }
  return new EmbeddedServerError(
    `Cannot start PostgreSQL on port ${port} with the data in '${dataDir}': ${reason}`,
  );
}

const COMPLAINT = /(FATAL|PANIC|ERROR): /;

/** The part of a log that says why. */
function telling(output: string): string {
  const lines = output.trim().split("\n");
  // Some causes are a mere LOG, and the FATAL after it says less
  const index = [
    /could not bind|in file ".*" line \d/,
    COMPLAINT,
    / was terminated by |received .* shutdown request/,
    /^(initdb|postgres): /,
    /./,
  ]
    .map((pattern) => lines.findIndex((line) => pattern.test(line)))
    .find((index) => index !== -1);
  if (index === undefined) return "it ended without a word";
  const [line, next = ""] = lines.slice(index)
    .map((line) => line.replace(/^.*?(LOG|FATAL|PANIC|ERROR|DETAIL|initdb: error): +/, "").trim());
  return /DETAIL: /.test(lines[index + 1] ?? "") ? `${line} (${next})` : line;
}
