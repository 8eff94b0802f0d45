import { grouped, speed } from "../cli/numbers.ts";
import { isOnTerminal } from "../cli/log.ts";
import { Progress } from "../cli/progress.ts";
import type { Input } from "../input/input.ts";

/** Where a job stands. */
export interface Counts {
  /** Rows that have ended. */
  done: number;
  /** Rows for which something was computed. */
  computed: number;
}

/** Milliseconds between two looks at a terminal, and between two lines elsewhere. */
const TERMINAL_INTERVAL = 200;
const LINE_INTERVAL = 5_000;

/** Milliseconds over which the speed is taken. */
const SPAN = 15_000;

/** Shows where a job stands: as a bar on a terminal, or else as a line every few seconds. */
export class JobProgress implements Disposable {
  readonly #counts: Readonly<Counts>;
  readonly #input: Input;
  readonly #unit: string;
  readonly #bar = new Progress();
  readonly #timer: ReturnType<typeof setInterval>;
  /** What was done at some moments of the last seconds. */
  readonly #samples: (Counts & { at: number })[] = [];
  #rows = 0;
  #responseMs: number | undefined;

  /** `unit`: what is computed, as in "hashes". */
  constructor(counts: Readonly<Counts>, { input, unit }: { input: Input; unit: string }) {
    this.#counts = counts;
    this.#input = input;
    this.#unit = unit;
    this.#sample();
    this.#timer = setInterval(
      () => this.#show(),
      isOnTerminal() ? TERMINAL_INTERVAL : LINE_INTERVAL,
    );
  }

  /** Notes how many rows were found in the bytes that were read so far. */
  noteRows(rows: number): void {
    this.#rows = rows;
  }

  /** Notes how long the database took, in milliseconds. */
  noteResponse(duration: number): void {
    this.#responseMs = this.#responseMs === undefined
      ? duration
      : 0.8 * this.#responseMs + 0.2 * duration;
  }

  /** Writes a line that stays. */
  say(text: string): void {
    this.#bar[Symbol.dispose]();
    console.error(text);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#bar[Symbol.dispose]();
  }

  #show(): void {
    const { text, fraction } = this.#state();
    if (!isOnTerminal()) console.error(text);
    else if (fraction === undefined) this.#bar.say(text);
    else this.#bar.bar(fraction, text);
  }

  #sample(): void {
    const now = performance.now();
    this.#samples.push({ at: now, ...this.#counts });
    while (this.#samples.length > 2 && now - this.#samples[1].at > SPAN) this.#samples.shift();
  }

  #state(): { text: string; fraction: number | undefined } {
    this.#sample();
    const [first, last] = [this.#samples[0], this.#samples.at(-1)!];
    const seconds = (last.at - first.at) / 1000;
    const total = this.#total();
    const fraction = total === undefined ? undefined : last.done / total;
    const parts = [
      total === undefined
        ? `${grouped(last.done)} done`
        : `${grouped(last.done)} of ${this.#isComplete() ? "" : "about "}${grouped(total)} done`,
      `${speed((last.computed - first.computed) / seconds)} ${this.#unit}/s`,
    ];
    // Rows that were skipped tell nothing of the time that computing takes.
    const rate = (last.computed - first.computed || last.done - first.done) / seconds;
    if (total !== undefined && rate > 0) parts.push(`${time((total - last.done) / rate)} left`);
    if (this.#responseMs !== undefined) parts.push(`database ${speed(this.#responseMs)} ms`);
    return { text: parts.join(", "), fraction };
  }

  /** The rows of the whole input; before it is read to its end, what its size lets one expect. */
  #total(): number | undefined {
    const { size, bytesRead } = this.#input;
    if (size === undefined || bytesRead === 0) return undefined;
    return Math.max(this.#counts.done, Math.round(this.#rows * Math.max(1, size / bytesRead)));
  }

  #isComplete(): boolean {
    return this.#input.bytesRead >= this.#input.size!;
  }
}

/** A time span, as in 1:02:03 or 4:05. */
function time(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, i) => i === 0 ? `${part}` : `${part}`.padStart(2, "0")).join(":");
}
