const encoder = new TextEncoder();

/** One line on the terminal that is written over and over; nothing where there is no terminal. */
export class Progress implements Disposable {
  readonly #terminal = Deno.stderr.isTerminal();
  #shownAt = -Infinity;
  #shown = false;

  /** Shows a bar, at most ten times a second. */
  bar(fraction: number, text: string): void {
    const now = performance.now();
    if (!this.#terminal || now - this.#shownAt < 100) return;
    this.#shownAt = now;
    const width = 24;
    const full = Math.round(width * Math.min(1, fraction));
    this.#line(`${"█".repeat(full)}${"░".repeat(width - full)} ${text}`);
  }

  /** Shows a sentence until the next line comes. */
  say(text: string): void {
    if (this.#terminal) this.#line(text);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#shown) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    this.#shown = false;
  }

  #line(text: string): void {
    const columns = Deno.consoleSize().columns || 80;
    Deno.stderr.writeSync(encoder.encode(`\r${text.slice(0, columns - 1)}\x1b[K`));
    this.#shown = true;
  }
}
