import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import bcrypt from "bcryptjs";
import * as fc from "fast-check";
import { parseBcrypt } from "../_internal/password/bcrypt_format.ts";
import { BcryptLanes, type LaneInput, MAX_LANES } from "../_internal/password/bcrypt_lanes.ts";
import { CHARACTER } from "./_unicode.ts";

/** What jBCrypt, OpenBSD, crypt_blowfish and passlib publish, of passwords that are text. */
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const SIGNS = "~!@#$%^&*()      ~!@#$%^&*()PNBFRD";
const PUBLISHED: readonly (readonly [password: string, hash: string])[] = [
  ["", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."],
  ["", "$2a$08$HqWuK6/Ng6sg9gQzbLrgb.Tl.ZHfXLhvt/SgVyWhQqgqcZ7ZuUtye"],
  ["", "$2a$10$k1wbIrmNyFAPwPVPSVa/zecw2BCEnBwVS2GbrmgzxFUOqW9dk4TCW"],
  ["", "$2a$12$k42ZFHFWqBp3vWli.nIn8uYyIkbvYRvodzbfbK18SSsY.CsIQPlxO"],
  ["a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"],
  ["a", "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V."],
  ["a", "$2a$10$k87L/MF28Q673VKh8/cPi.SUl7MU/rWuSiIDDFayrKk/1tBsSQu4u"],
  ["a", "$2a$12$8NJH3LsPrANStV6XtBakCez0cKHXVxmvxIlcz785vxAIZrihHZpeS"],
  ["abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"],
  ["abc", "$2a$08$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"],
  ["abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"],
  ["abc", "$2a$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q"],
  [LETTERS, "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"],
  [LETTERS, "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz."],
  [LETTERS, "$2a$10$fVH8e28OQRj9tqiDXs1e1uxpsjN0c7II7YPKXua2NAKYvM6iQk7dq"],
  [LETTERS, "$2a$12$D4G5f18o7aMMfwasBL7GpuQWuP3pkrZrOAnqP.bmezbMng.QwJ/pG"],
  [SIGNS, "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"],
  [SIGNS, "$2a$08$Eq2r4G/76Wv39MzSX262huzPz612MZiYHVUJe/OcOql2jo4.9UxTW"],
  [SIGNS, "$2a$10$LgfYWkbzEvQ4JakH7rOvHe0y8pHKF9OaFgwUZ2q7W2FFZmZzJYlfS"],
  [SIGNS, "$2a$12$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGvfxm43seyhgC"],
  ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"],
  ["U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"],
  ["", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"],
  [
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
  ],
  ["t\u00e1\u0411\u2113\u0259", "$2a$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG"],
];

const encoder = new TextEncoder();

/** Any text without NUL that has at most 72 bytes. */
const passwords = fc.string({ unit: CHARACTER, maxLength: 72 }).map((text) => {
  let password = "", bytes = 0;
  for (const character of text.replaceAll("\0", "")) {
    bytes += encoder.encode(character).length;
    if (bytes > 72) break;
    password += character;
  }
  return password;
});

function inputOf(password: string, salt = crypto.getRandomValues(new Uint8Array(16))): LaneInput {
  return { password, salt };
}

function* groupsOf<T>(items: readonly T[], sizes: readonly number[]): Generator<T[]> {
  for (let from = 0, i = 0; from < items.length; i++) {
    const size = sizes[i % sizes.length];
    yield items.slice(from, from + size);
    from += size;
  }
}

const lanes = new BcryptLanes();

Deno.test("BcryptLanes.hash() gives the published hashes, in groups of 1 to n", () => {
  const sizes = Array.from({ length: MAX_LANES }, (_, i) => i + 1);
  for (const cost of [5, 6, 8, 10, 12]) {
    const vectors = PUBLISHED.filter(([_, hash]) => parseBcrypt(hash)!.cost === cost);
    // What is dear is hashed once, in groups of all sizes
    for (const grouping of cost < 9 ? sizes.map((size) => [size]) : [sizes]) {
      for (const group of groupsOf(vectors, grouping)) {
        const inputs = group.map(([password, hash]) => ({ password, ...parseBcrypt(hash)! }));
        assertEquals(
          lanes.hash(inputs, cost).map((hash) => hash.slice(4)),
          group.map(([_, hash]) => hash.slice(4)),
        );
      }
    }
  }
});

Deno.test("BcryptLanes.hash() agrees with bcryptjs at every cost up to 10", () => {
  for (let cost = 4; cost <= 10; cost++) {
    const inputs = ["", "pässwörd 🐎"].map((password) => inputOf(password));
    for (const [i, hash] of lanes.hash(inputs, cost).entries()) {
      assertEquals(hash.slice(0, 7), `$2b$${String(cost).padStart(2, "0")}$`);
      assertEquals(bcrypt.hashSync(inputs[i].password, hash.slice(0, 29)), hash);
    }
  }
});

Deno.test("BcryptLanes.hash() agrees with bcryptjs on any password of 0 to 72 bytes", () => {
  let count = 0;
  fc.assert(
    fc.property(
      fc.array(passwords, { minLength: 1, maxLength: MAX_LANES }),
      (group) => {
        const inputs = group.map((password) => inputOf(password));
        for (const [i, hash] of lanes.hash(inputs, 4).entries()) {
          const { password } = inputs[i];
          // Comparing is hashing with the same salt.
          assert(bcrypt.compareSync(password, hash));
          count++;
        }
      },
    ),
    { numRuns: 300 },
  );
  assert(count > 500, `only ${count} passwords`);
});

Deno.test("BcryptLanes.hash() gives the same hash in every lane, whatever the neighbours are", () => {
  const input = inputOf("pässwörd 🐎");
  const [expected] = lanes.hash([input], 4);
  for (let size = 1; size <= MAX_LANES; size++) {
    for (let lane = 0; lane < size; lane++) {
      for (const neighbour of ["", "pässwörd 🐎", "x".repeat(72), "ÿ".repeat(36)]) {
        const inputs = Array.from({ length: size }, () => inputOf(neighbour));
        inputs[lane] = input;
        assertEquals(lanes.hash(inputs, 4)[lane], expected);
      }
    }
  }
});

Deno.test("BcryptLanes.hash() takes the password by its length, and not what another one left", () => {
  const salt = new Uint8Array(16).fill(255);
  const [long, short] = ["x".repeat(72), "xxx"].map((password) => inputOf(password, salt));
  const alone = new BcryptLanes().hash([short], 4);
  const other = new BcryptLanes();
  assert(other.hash([long], 4)[0] !== alone[0]);
  assertEquals(other.hash([short], 4), alone);
});

Deno.test("BcryptLanes wipes passwords and what it made of them from its memory", () => {
  const bytes = new Uint8Array(lanes.memory.buffer);
  const group = Array.from({ length: MAX_LANES }, () => inputOf("correct horse"));
  const digest = lanes.hash(group, 4);
  assertEquals(digest.length, MAX_LANES);
  assertEquals(bytes.findIndex((byte) => byte !== 0), -1);

  const broken = { password: "correct horse", salt: undefined as unknown as Uint8Array };
  assertThrows(() => lanes.hash([...group.slice(1), broken], 4), TypeError);
  assertEquals(bytes.findIndex((byte) => byte !== 0), -1);
  assertEquals(lanes.hash([inputOf("again")], 4).length, 1);
});

Deno.test("BcryptLanes.prepare() refuses code that gives wrong hashes, or that is refused", () => {
  const { Module } = WebAssembly;
  /** Damages the code where it adds: nothing but the result changes. */
  const damage = (bytes: Uint8Array<ArrayBuffer>) =>
    bytes.map((byte, i) => byte === 0x6a && bytes[i + 1] === 0x20 ? 0x6b : byte);
  try {
    const broken = new BcryptLanes();
    WebAssembly.Module = class extends Module {
      constructor(bytes: BufferSource) {
        super(damage(bytes as Uint8Array<ArrayBuffer>));
      }
    };
    assertThrows(() => broken.prepare(2), Error, "self-test");
    assertThrows(() => broken.prepare(2), Error, "self-test");
    WebAssembly.Module = class extends Module {
      constructor() {
        super(new Uint8Array(8));
      }
    };
    const { message } = assertThrows(() => broken.prepare(2), Error);
    assertMatch(message, /^its code was refused: /);
    WebAssembly.Module = Module;
    broken.prepare(2);
    assertEquals(broken.hash([inputOf("a"), inputOf("b")], 4).length, 2);
  } finally {
    WebAssembly.Module = Module;
  }
});

Deno.test("BcryptLanes needs WebAssembly", () => {
  const { WebAssembly } = globalThis;
  try {
    delete (globalThis as { WebAssembly?: unknown }).WebAssembly;
    assertThrows(() => new BcryptLanes(), Error, "there is no WebAssembly");
  } finally {
    globalThis.WebAssembly = WebAssembly;
  }
});

Deno.test("parseBcrypt() takes what a bcrypt hash is, and nothing else", () => {
  const tail = "DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";
  for (const version of ["a", "b", "y"]) {
    assertEquals(parseBcrypt(`$2${version}$06$${tail}`)?.cost, 6);
  }
  for (const start of ["$2x$06$", "$2$06$", "$2b$03$", "$2b$32$", "$2b$6$", "x$2b$06$"]) {
    assertEquals(parseBcrypt(start + tail), undefined);
  }
  for (const bad of [tail.slice(1), tail + ".", tail.replace("D", "-")]) {
    assertEquals(parseBcrypt(`$2b$06$${bad}`), undefined);
  }
});
