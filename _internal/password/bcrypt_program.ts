import { assembleModule, FunctionBody } from "./wasm_emitter.ts";

/**
 * Where a lane keeps what it needs, in bytes from its start. P and the S-boxes lie one behind the
 * other, as the key schedule fills them in one go, and the S-boxes begin with a line of the cache.
 */
export const LANE = {
  /** The subkeys: 18 words. */
  P: 56,
  /** Four S-boxes of 256 words. */
  S: 128,
  /** The password with its NUL, over and over: 18 words. */
  key: 4224,
  /** The salt, over and over: 18 words. */
  salt: 4296,
  /** What is encrypted in the end: 6 words. */
  text: 4368,
  /** Bytes of a lane. */
  size: 4416,
} as const;

/** Bytes of P and of the S-boxes, which are bcrypt's state. */
export const P_BYTES: number = 18 * 4;
export const STATE_BYTES: number = P_BYTES + 4 * 256 * 4;
/** Bytes of the text. */
export const TEXT_BYTES = 24;

/** What a module exports. Each function works on all its lanes. */
export interface BcryptProgram {
  /** The first schedule of EksBlowfishSetup, with salt and key. */
  start(): void;
  /** So many rounds of EksBlowfishSetup: two schedules each, with the key and with the salt. */
  rounds(count: number): void;
  /** Encrypts the text 64 times. */
  finish(): void;
}

/** The places of the functions in the module. */
const EXPAND_KEY = 0;

/**
 * Assembles bcrypt for so many lanes, as "A Future-Adaptable Password Scheme" (Provos and Mazières,
 * 1999) has it: EksBlowfishSetup is `start()` and 2 ** cost `rounds()`.
 *
 * Why lanes: a round of Blowfish looks up four words, at places that the round before gives. That is a
 * chain of eleven cycles, in which a processor could do three times the work. Several passwords at
 * once, a round of each in turn, give it that work: it looks ahead over some 200 instructions.
 *
 * Why the loads look as they do: each is checked, with a comparison of its own, as V8 leaves that to
 * the processor only where its host has asked for it, and Deno has not. What it compares with is the
 * size of the memory less the constant offset of the load. With an offset for each table of each lane
 * there are sixteen such limits, more than registers, and a hash took 12 % longer. So the address of
 * the table is added to the index, and the offset is always 0. A constant address is not checked, and
 * folded into the `xor`: so P is read from memory each time. In locals it took 6 % longer, as there are
 * not registers enough.
 *
 * What was tried besides, on a quiet core, with four lanes: the indices of two tables out of one mask
 * (5 % longer), S-boxes with their signs changed, so that loads fold into differences (6 %), shifts by
 * a variable (11 %), rounds in a loop of four (15 %), vectors for indices and sums (14 %), tables in
 * arrays of WasmGC (24 %), bytes of the index out of memory (30 % and more).
 */
export function assembleBcrypt(lanes: number): Uint8Array<ArrayBuffer> {
  const block = encipher(lanes);
  return assembleModule([
    expandKey("expandKey", block, { salted: false }),
    expandKey("start", block, { salted: true }),
    rounds(),
    encryptText(block),
  ], { module: "bcrypt", name: "memory", pages: 1 });
}

/** The encryption of a block in each lane. It is emitted once, and put into three functions. */
interface Block {
  readonly body: FunctionBody;
  readonly lanes: readonly Lane[];
}

interface Lane {
  /** Where it starts in the memory. */
  readonly at: number;
  /** The locals that hold the halves of its block. */
  readonly left: number;
  readonly right: number;
}

/** Locals that each function has for itself, before those of the block. */
const OWN_LOCALS = [0, 1];

function declareLocals(body: FunctionBody, { lanes }: Block): void {
  while (body.locals + body.parameters < OWN_LOCALS.length + 2 * lanes.length) body.local();
}

/**
 * ExpandKey(state, salt, key): mixes 18 words into P, and replaces P and the S-boxes by what a block
 * becomes that is encrypted over and over. With the salt, that is mixed into the block each time;
 * without, the words are those at the address in the parameter.
 */
function expandKey(name: string, block: Block, { salted }: { salted: boolean }): FunctionBody {
  const body = new FunctionBody(name, salted ? 0 : 1);
  const [words, next] = OWN_LOCALS;
  declareLocals(body, block);
  if (salted) body.constant(LANE.key).set(words);
  for (const { at, left, right } of block.lanes) {
    for (let i = 0; i < P_BYTES; i += 4) {
      const subkey = at + LANE.P + i;
      body.constant(0).constant(0).load(subkey).get(words).load(at + i).xor().store(subkey);
    }
    body.constant(0).set(left).constant(0).set(right);
  }
  return body.repeat(() => {
    if (salted) {
      // The salt has two blocks, which take turns.
      for (const { at, left, right } of block.lanes) {
        for (const [half, word] of [[left, 0], [right, 4]]) {
          body.get(half).get(next).constant(8).and().load(at + LANE.salt + word).xor().set(half);
        }
      }
    }
    body.append(block.body);
    for (const { at, left, right } of block.lanes) {
      body.get(next).get(left).store(at + LANE.P);
      body.get(next).get(right).store(at + LANE.P + 4);
    }
    body.get(next).constant(8).add().tee(next).constant(STATE_BYTES).sub();
  });
}

function rounds(): FunctionBody {
  const body = new FunctionBody("rounds", 1), count = 0;
  return body.repeat(() => {
    body.constant(LANE.key).call(EXPAND_KEY);
    body.constant(LANE.salt).call(EXPAND_KEY);
    body.get(count).constant(1).sub().tee(count);
  });
}

/** EncryptECB, 64 times, of the three blocks of the text. */
function encryptText(block: Block): FunctionBody {
  const body = new FunctionBody("finish");
  const [next, times] = OWN_LOCALS;
  declareLocals(body, block);
  return body.repeat(() => {
    for (const { at, left, right } of block.lanes) {
      body.get(next).load(at + LANE.text).set(left);
      body.get(next).load(at + LANE.text + 4).set(right);
    }
    body.constant(64).set(times);
    body.repeat(() => body.append(block.body).get(times).constant(1).sub().tee(times));
    for (const { at, left, right } of block.lanes) {
      body.get(next).get(left).store(at + LANE.text);
      body.get(next).get(right).store(at + LANE.text + 4);
    }
    body.get(next).constant(8).add().tee(next).constant(TEXT_BYTES).sub();
  });
}

/** Blowfish's encryption of a block in each lane, round by round. */
function encipher(count: number): Block {
  const body = new FunctionBody("encipher");
  const lanes = Array.from({ length: count }, (_, i): Lane => ({
    at: i * LANE.size,
    left: OWN_LOCALS.length + 2 * i,
    right: OWN_LOCALS.length + 2 * i + 1,
  }));
  const mixSubkey = (half: number, at: number, i: number) =>
    body.get(half).constant(0).load(at + LANE.P + 4 * i).xor().set(half);

  for (const { at, left } of lanes) mixSubkey(left, at, 0);
  for (let i = 1; i <= 16; i++) {
    for (const { at, left, right } of lanes) {
      const [from, to] = i % 2 === 1 ? [left, right] : [right, left];
      // to ^= F(from) ^ P[i]
      body.get(to);
      feistel(body, from, at + LANE.S);
      body.constant(0).load(at + LANE.P + 4 * i).xor().xor().set(to);
    }
  }
  for (const { at, left, right } of lanes) {
    mixSubkey(right, at, 17);
    // The last round is not swapped: undo it.
    body.get(left).get(right).set(left).set(right);
  }
  return { body, lanes };
}

/** F(x) = ((S0[x >>> 24] + S1[x >>> 16 & 255]) ^ S2[x >>> 8 & 255]) + S3[x & 255] */
function feistel(body: FunctionBody, x: number, boxes: number): void {
  lookUp(body.get(x).constant(24).shrU(), boxes);
  lookUp(body.get(x).constant(16).shrU().constant(0xff).and(), boxes + 0x400).add();
  lookUp(body.get(x).constant(8).shrU().constant(0xff).and(), boxes + 0x800).xor();
  lookUp(body.get(x).constant(0xff).and(), boxes + 0xc00).add();
}

/**
 * The word of a table whose index is on the stack. To scale the index to bytes and to add the address
 * of the table is one instruction, `lea`.
 */
function lookUp(body: FunctionBody, table: number): FunctionBody {
  return body.constant(2).shl().constant(table).add().load(0);
}
