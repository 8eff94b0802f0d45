/** What a pipeline reads from. A function takes a signal, at which its items should end. */
export type Source<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | ((signal: AbortSignal) => Iterable<T> | AsyncIterable<T>);

/** Reads a source item by item, until it ends or the signal is aborted. */
export class Reader<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  readonly #isAsync: boolean;
  readonly #signal: AbortSignal;
  #read = Promise.withResolvers<IteratorResult<T>>();
  #reading = false;
  #done = false;

  constructor(source: Source<T>, signal: AbortSignal) {
    const items = typeof source === "function" ? source(signal) : source;
    const { [Symbol.asyncIterator]: async } = items as AsyncIterable<T>;
    this.#iterator = async?.call(items) ?? (items as Iterable<T>)[Symbol.iterator]();
    this.#isAsync = async !== undefined;
    this.#signal = signal;
    signal.addEventListener("abort", this.#stop);
  }

  /**
   * The next item. Also `done` once the signal is aborted: the source is not awaited then. What comes
   * at once is given at once: three promises an item were a third of what the pipeline takes itself.
   */
  next(): IteratorResult<T> | Promise<IteratorResult<T>> {
    if (!this.#isAsync) return this.#readNow();
    this.#read = Promise.withResolvers();
    if (this.#signal.aborted) this.#stop();
    else void this.#readOne(this.#read);
    return this.#read.promise;
  }

  /** Closes a source that has not ended. */
  async close(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    if (this.#done) return;
    const closed = this.#iterator.return?.();
    // A generator in the middle of a read closes after it, which may take any time.
    if (this.#reading) Promise.resolve(closed).catch(() => {});
    else await closed;
  }

  #readNow(): IteratorResult<T> {
    if (this.#signal.aborted) return { done: true, value: undefined };
    this.#done = true;
    const result = this.#iterator.next() as IteratorResult<T>;
    this.#done = result.done === true;
    return result;
  }

  async #readOne({ resolve, reject }: PromiseWithResolvers<IteratorResult<T>>): Promise<void> {
    this.#reading = true;
    try {
      const result = await this.#iterator.next();
      this.#done = result.done === true;
      resolve(result);
    } catch (error) {
      this.#done = true;
      reject(error);
    }
    this.#reading = false;
  }

  readonly #stop = () => this.#read.resolve({ done: true, value: undefined });
}
