/** How lines on the standard error are written. */
export type LogFormat = "text" | "json";

let format: LogFormat = "text";

/** The time that some lines begin with. */
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z /;

/**
 * Sets how lines on the standard error are written from now on. As JSON, each is an object with `time`
 * and `message`, whoever writes it: what a collector of logs gets has no other lines among them.
 *
 * @param args The command line as it is: what is wrong with it is told in that format, too.
 */
export function setLogFormat(args: readonly string[]): void {
  format = /(^| )--log-format[= ]json( |$)/.test(args.join(" ")) ? "json" : "text";
  if (format === "text") return;
  const { error } = console;
  console.error = (...parts: unknown[]) => {
    const message = parts.map((part) => typeof part === "string" ? part : Deno.inspect(part))
      .join(" ").replace(TIME, "");
    error(JSON.stringify({ time: new Date().toISOString(), message }));
  };
}

/** Whether a line on the standard error may be written over. */
export function isOnTerminal(): boolean {
  return format === "text" && Deno.stderr.isTerminal();
}
