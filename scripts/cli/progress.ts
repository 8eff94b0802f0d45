import { isOnTerminal } from "./log.ts";
import { terminalColumns } from "./screen.ts";

const encoder = new TextEncoder();

/** Milliseconds between two states of the line on a terminal, and between two lines elsewhere. */
const TERMINAL_INTERVAL = 100;
const LINE_INTERVAL = 5_000;

/**
 * Shows on the standard error where a script stands: on a terminal one line that is written over and
 * over, elsewhere a new line every few seconds.
 */
export class Progress implements Disposable {
  /** Whether it is shown on a terminal. */
  readonly terminal = isOnTerminal();
  #shownAt: number | undefined;
  #shown = false;

  /**
   * Shows how much is done, now and then.
   *
   * @param fraction From 0 to 1; `undefined` where nobody knows how much there is to do.
   */
  bar(fraction: number | undefined, text: string): void {
    const now = performance.now();
    // What is over within seconds needs no line of its own in a log.
    this.#shownAt ??= this.terminal ? -Infinity : now;
    if (now - this.#shownAt < (this.terminal ? TERMINAL_INTERVAL : LINE_INTERVAL)) return;
    this.#shownAt = now;
    if (fraction === undefined) this.#write(text);
    else if (this.terminal) this.#write(`${bar(fraction, 16)} ${text}`);
    else this.#write(`${Math.floor(100 * fraction)}%: ${text}`);
  }

  /** Shows what is being done, until the next line comes. */
  say(text: string): void {
    this.#write(text);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#shown) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    this.#shown = false;
  }

  #write(text: string): void {
    if (!this.terminal) return console.error(text);
    Deno.stderr.writeSync(encoder.encode(`\r${text.slice(0, terminalColumns() - 1)}\x1b[K`));
    this.#shown = true;
  }
}

function bar(fraction: number, width: number): string {
  const full = Math.round(width * Math.min(1, fraction));
  return "█".repeat(full) + "░".repeat(width - full);
}
