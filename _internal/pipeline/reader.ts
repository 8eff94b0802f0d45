/** What a pipeline reads from. A function takes a signal, at which its items should end. */
export type Source<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | ((signal: AbortSignal) => Iterable<T> | AsyncIterable<T>);

/** Reads a source item by item, until it ends or the signal is aborted. */
export class Reader<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  readonly #signal: AbortSignal;
  #read = Promise.withResolvers<IteratorResult<T>>();
  #reading = false;
  #done = false;

  constructor(source: Source<T>, signal: AbortSignal) {
    const items = typeof source === "function" ? source(signal) : source;
    const { [Symbol.asyncIterator]: async } = items as AsyncIterable<T>;
    this.#iterator = async?.call(items) ?? (items as Iterable<T>)[Symbol.iterator]();
    this.#signal = signal;
    signal.addEventListener("abort", this.#stop);
  }

  /** The next item. Also `done` once the signal is aborted: the source is not awaited then. */
  next(): Promise<IteratorResult<T>> {
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
