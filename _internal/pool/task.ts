/** How a task ends. */
export interface Ending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Who has a task in hand. */
export interface Holder {
  /** Nobody waits for the task any more. */
  abandon(task: Task): void;
}

/** What is to be computed, from when it is asked for until it is settled. */
export class Task {
  /** What the user knows it by: errors carry it. */
  item: unknown;
  /** What is sent to the worker. */
  value: unknown;
  /** What of it is moved instead of copied. It can be sent once, so it is not given away early. */
  transfer: readonly Transferable[] | undefined;
  /** Whether its worker must have nothing else in hand, so that it is known who is to blame. */
  alone: boolean;
  settled = false;
  queued = false;
  signal: AbortSignal | undefined = undefined;
  /** Who has it in hand, and where. */
  worker: Holder | undefined = undefined;
  position = 0;
  #ending: Ending | undefined;

  constructor(
    item: unknown,
    value: unknown,
    ending: Ending,
    transfer: readonly Transferable[] | undefined,
  ) {
    this.item = item;
    this.value = value;
    this.#ending = ending;
    this.transfer = transfer !== undefined && transfer.length > 0 ? transfer : undefined;
    this.alone = this.transfer !== undefined;
  }

  resolve(result: unknown): void {
    this.#settle()?.resolve(result);
  }

  reject(error: unknown): void {
    this.#settle()?.reject(error);
  }

  /** Forgets everything: there may be a secret in it, and somebody may still hold the task. */
  #settle(): Ending | undefined {
    const ending = this.#ending;
    this.settled = true;
    this.item =
      this.value =
      this.transfer =
      this.#ending =
        undefined;
    return ending;
  }
}
