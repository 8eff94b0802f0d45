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
 * once, a round of each in turn, give it that work: it looks ahead over some 100 instructions. A round
 * of a lane has 29 in Deno, so three lanes are as good as more, and each instruction less counts.
 *
 * Why the loads look as they do: each is checked, with a comparison of its own, as V8 leaves that to
 * the processor only where its host has asked for it, and Deno has not. What it compares with is the
 * size of the memory less the constant offset of the load. With an offset for each table of each lane
 * there are twelve such limits, more than registers, and a load with an offset takes a cycle more. So
 * the address of the table is added to the index, and the offset is always 0. A constant address is not
 * checked, and folded into the `xor`: so P is read from memory each time.
 *
 * Why the addresses come first: then all loads of a round start before one of its results is waited
 * for. With that, two addresses computed in one word, and P mixed in before F is known, three lanes
 * took 16 % less time, and 6 to 12 % less than four lanes did before.
 *
 * What was tried besides, without gain (time, in Deno): S-boxes with their signs changed, so
 * that loads fold into differences (1 % less, in Node 24 14 % more), loads or sums put off behind the
 * addresses of the next lane (4 to 8 % more), constant offsets for two of the tables (12 %), rounds in
 * a loop of two or four (17 to 20 %), shifts by a variable (11 %), vectors for indices and sums (14 %),
 * bytes of the index out of memory (30 %). Tables in arrays of WasmGC, made in the same function so
 * that their length is a constant, are compared with it all the same (8 to 30 %).
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
/** Locals behind those of the lanes, for the addresses of a round. */
const SCRATCH_LOCALS = 5;

function declareLocals(body: FunctionBody, { lanes }: Block): void {
  const count = OWN_LOCALS.length + 2 * lanes.length + SCRATCH_LOCALS;
  while (body.locals + body.parameters < count) body.local();
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
  const scratch = OWN_LOCALS.length + 2 * count;
  const mixSubkey = (half: number, at: number, i: number) =>
    body.get(half).constant(0).load(at + LANE.P + 4 * i).xor().set(half);

  for (const { at, left } of lanes) mixSubkey(left, at, 0);
  for (let i = 1; i <= 16; i++) {
    for (const { at, left, right } of lanes) {
      const [from, to] = i % 2 === 1 ? [left, right] : [right, left];
      locate(body, from, at + LANE.S, scratch);
      // to ^= P[i] ^ F(from): P first, as F is the last to be known
      mixSubkey(to, at, i);
      body.get(to);
      feistel(body, scratch);
      body.xor().set(to);
    }
  }
  for (const { at, left, right } of lanes) {
    mixSubkey(right, at, 17);
    // The last round is not swapped: undo it.
    body.get(left).get(right).set(left).set(right);
  }
  return { body, lanes };
}

/**
 * Sets four locals to the addresses of S0[x >>> 24], S1[x >>> 16 & 255], S2[x >>> 8 & 255] and
 * S3[x & 255], and uses a fifth.
 */
function locate(body: FunctionBody, x: number, boxes: number, locals: number): void {
  const [s0, s1, s2, s3, pair] = Array.from({ length: SCRATCH_LOCALS }, (_, i) => locals + i);
  const [at0, at1, at2, at3] = [boxes, boxes + 0x400, boxes + 0x800, boxes + 0xc00];
  // An address has 16 bits, so those for S1 and S3 are computed in one word
  body.get(x).constant(0x00ff00ff).and();
  toAddress(body, at1 << 16 | at3).set(pair);
  toAddress(body.get(x).constant(8).shrU().constant(0xff).and(), at2).set(s2);
  toAddress(body.get(x).constant(24).shrU(), at0).set(s0);
  body.get(pair).constant(16).shrU().set(s1);
  body.get(pair).constant(0xffff).and().set(s3);
}

/**
 * Turns an index into the address of a word in a table. To scale it to bytes and to add the table's
 * address is one instruction, `lea`.
 */
function toAddress(body: FunctionBody, table: number): FunctionBody {
  return body.constant(2).shl().constant(table).add();
}

/** F = ((S0[…] + S1[…]) ^ S2[…]) + S3[…], whose addresses are in four locals. */
function feistel(body: FunctionBody, locals: number): void {
  body.get(locals).load(0).get(locals + 1).load(0).add();
  body.get(locals + 2).load(0).xor().get(locals + 3).load(0).add();
}
