import { formatBcrypt, parseBcrypt } from "./bcrypt_format.ts";
import {
  assembleBcrypt,
  type BcryptProgram,
  LANE,
  P_BYTES,
  STATE_BYTES,
  TEXT_BYTES,
} from "./bcrypt_program.ts";
import { piFraction } from "./pi.ts";

/**
 * Most passwords that are hashed at once. At cost 8 on a core that was shared with another machine, one
 * lane took 15.7 ms a hash, two 8.7, three 6.8, four 6.9, five 10.5 and six 11.3 in Deno; in Node 22,
 * 15.1, 8.3, 6.7, 9.9, 9.0 and 14.1; in Node 24, 15.2, 8.5, 6.2, 5.9, 6.1 and 6.4. Fewer lanes take
 * less of the first cache, and leave fewer empty. See `bench/lanes_bench.ts`.
 */
export const MAX_LANES = 3;

/**
 * Rounds in one call, about 3 ms. V8 puts its optimised code in the place of the first only between
 * two calls, and not in the middle of a loop.
 */
const STEP = 32;

/** "OrpheanBeholderScryDoubt", which is encrypted in the end. */
const TEXT = new TextEncoder().encode("OrpheanBeholderScryDoubt");
/** Its last byte is left out of a hash. */
const DIGEST_BYTES = 23;

/** One password to be hashed. */
export interface LaneInput {
  /** At most 72 bytes, and no NUL. */
  readonly password: string;
  /** 16 bytes. */
  readonly salt: Uint8Array;
}

/**
 * Hashes for the self-test, from another implementation: an empty password, one of 8-bit characters,
 * one of 72 bytes and one of several words.
 */
const VECTORS: readonly (readonly [password: string, hash: string])[] = [
  ["", "$2b$04$DCq7YPn5Rq63x1Lad4cll.gPqnXZmDhhq3zJUTSJckzck53/zZY4W"],
  ["pässwörd £ÿ", "$2b$04$5DCebwootqWMCp59ISrMJ.BYitKafQSZtvTgDUj80jjWpT.O3RTfG"],
  ["0123456789".repeat(7) + "ab", "$2b$04$abcdefghijklmnopqrstuuMtJwfagkGaCKZ.IMpPJzYjhgL/xnp2C"],
  ["correct horse battery staple", "$2b$04$/OK.fbVrR/bpIqNJ5ianF.mDhNl2nSyqg6fEs55WF4umidwEVn/kS"],
];

const encoder = new TextEncoder();

/**
 * bcrypt in WebAssembly, several passwords at once in one thread.
 *
 * To be made it takes 3 ms, nearly all of them for π, and 9 ms more for each number of lanes that is
 * needed: assembled, compiled and tested. A worker of a pool is ready after 30 ms, most of which Deno
 * takes to start a thread, and has its first hash of cost 4 after 45 ms; with bcryptjs, after 38.
 */
export class BcryptLanes {
  /** What is known of the passwords while they are hashed, and zeros afterwards. */
  readonly memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #initialState: Uint8Array;
  /** By the number of lanes. */
  readonly #programs: BcryptProgram[] = [];

  /** @throws {Error} If there is no WebAssembly. */
  constructor() {
    if (!("WebAssembly" in globalThis)) throw new Error("there is no WebAssembly");
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
    this.#initialState = initialState();
  }

  /**
   * Makes the code for so many lanes, and tests it; does nothing if that was done before.
   *
   * @throws {Error} If it cannot be compiled, or does not give the right hashes.
   */
  prepare(lanes: number): void {
    if (this.#programs[lanes] !== undefined) return;
    const program = this.#compile(lanes);
    for (let first = 0; first < VECTORS.length; first += lanes) {
      const vectors = Array.from(
        { length: lanes },
        (_, i) => VECTORS[(first + i) % VECTORS.length],
      );
      const inputs = vectors.map(([password, hash]) => ({ password, ...parseBcrypt(hash)! }));
      const hashes = this.#run(program, inputs, 4);
      if (vectors.every(([_, hash], i) => hashes[i] === hash)) continue;
      throw new Error(`its self-test, with lanes: ${lanes}, gave a wrong hash`);
    }
    this.#programs[lanes] = program;
  }

  /**
   * Hashes passwords, all at the same cost and at the same time: what is given together is done
   * together. Different costs would leave lanes empty that have done their rounds.
   *
   * @returns The hashes, in order.
   */
  hash(inputs: readonly LaneInput[], cost: number): string[] {
    this.prepare(inputs.length);
    return this.#run(this.#programs[inputs.length], inputs, cost);
  }

  #compile(lanes: number): BcryptProgram {
    try {
      const module = new WebAssembly.Module(assembleBcrypt(lanes));
      const { exports } = new WebAssembly.Instance(module, { bcrypt: { memory: this.memory } });
      return exports as unknown as BcryptProgram;
    } catch (cause) {
      throw new Error(`its code was refused: ${(cause as Error).message}`, { cause });
    }
  }

  #run(program: BcryptProgram, inputs: readonly LaneInput[], cost: number): string[] {
    try {
      for (const [lane, input] of inputs.entries()) this.#load(lane * LANE.size, input);
      program.start();
      for (let left = 2 ** cost; left > 0; left -= STEP) program.rounds(Math.min(left, STEP));
      program.finish();
      return inputs.map(({ salt }, lane) =>
        formatBcrypt({ cost, salt }, this.#digest(lane * LANE.size))
      );
    } finally {
      this.#bytes.fill(0, 0, inputs.length * LANE.size);
    }
  }

  /** Puts a password, its salt and the initial state into a lane. */
  #load(lane: number, { password, salt }: LaneInput): void {
    const bytes = this.#bytes;
    bytes.set(this.#initialState, lane + LANE.P);
    const { written } = encoder.encodeInto(
      password,
      bytes.subarray(lane + LANE.key, lane + LANE.salt),
    );
    // The NUL behind the password is a part of the key. What does not fit into 72 bytes is not.
    this.#repeat(lane + LANE.key, written + 1);
    bytes.set(salt, lane + LANE.salt);
    this.#repeat(lane + LANE.salt, salt.length);
    bytes.set(TEXT, lane + LANE.text);
    for (let at = lane + LANE.key; at < lane + LANE.text + TEXT_BYTES; at += 4) this.#swap(at);
  }

  /** Repeats the first bytes of the key or the salt until it is as long as P. */
  #repeat(start: number, length: number): void {
    for (let i = length; i < P_BYTES; i++) this.#bytes[start + i] = this.#bytes[start + i - length];
  }

  #digest(lane: number): Uint8Array {
    const start = lane + LANE.text;
    for (let at = start; at < start + TEXT_BYTES; at += 4) this.#swap(at);
    return this.#bytes.slice(start, start + DIGEST_BYTES);
  }

  /** bcrypt reads words with the highest byte first, WebAssembly with the lowest. */
  #swap(at: number): void {
    this.#view.setUint32(at, this.#view.getUint32(at, false), true);
  }
}

/** P and the S-boxes as Blowfish begins: the digits of π. */
function initialState(): Uint8Array {
  const view = new DataView(new ArrayBuffer(STATE_BYTES));
  for (const [i, word] of piFraction(STATE_BYTES / 4).entries()) view.setUint32(4 * i, word, true);
  return new Uint8Array(view.buffer);
}
