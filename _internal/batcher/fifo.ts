/** A first-in-first-out queue. Every operation takes constant time. */
export class Fifo<V> {
  #values: V[] = [];
  #start = 0;

  get head(): V | undefined {
    return this.#values[this.#start];
  }

  push(value: V): void {
    this.#values.push(value);
  }

  shift(): V | undefined {
    if (this.#start === this.#values.length) return undefined;
    const value = this.#values[this.#start];
    // The garbage collector may have what has left.
    this.#values[this.#start++] = undefined as V;
    if (this.#start >= 16 && this.#start * 2 > this.#values.length) {
      this.#values = this.#values.slice(this.#start);
      this.#start = 0;
    }
    return value;
  }

  /** Takes everything. */
  clear(): V[] {
    const values = this.#values.slice(this.#start);
    this.#values = [];
    this.#start = 0;
    return values;
  }
}
