import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import bcrypt from "bcryptjs";
import * as fc from "fast-check";
import { scryptSync } from "node:crypto";
import {
  calibrate,
  checkHash,
  checkPassword,
  hashPassword,
  hashPasswordsSync,
  hashPasswordSync,
  parametersOf,
  randomPassword,
  scryptPassword,
  verifyPassword,
} from "../workload.ts";
import { rejection } from "./_helpers.ts";
import { CHARACTER } from "./_unicode.ts";

Deno.test("hashPassword() gives a bcrypt hash of the cost asked for", async () => {
  const hash = await hashPassword("correct horse", { cost: 5 });
  assertMatch(hash, /^\$2b\$05\$[./A-Za-z0-9]{53}$/);
  assert(bcrypt.compareSync("correct horse", hash));
});

Deno.test("hashPassword() has cost 12 by default", async () => {
  assertEquals((await hashPassword("a")).slice(0, 7), "$2b$12$");
});

Deno.test("hashPassword() salts: the same password has a new hash every time", async () => {
  const hashes = await Promise.all([1, 2, 3].map(() => hashPassword("a", { cost: 4 })));
  assertEquals(new Set(hashes).size, 3);
});

Deno.test("hashPasswordSync() does the same at once", () => {
  assert(bcrypt.compareSync("ü 漢 😀", hashPasswordSync("ü 漢 😀", { cost: 4 })));
});

Deno.test("hashPassword() takes 72 bytes and refuses 73, in whatever characters", async () => {
  for (const character of ["a", "ü", "漢", "😀"]) {
    const size = new TextEncoder().encode(character).length;
    const longest = character.repeat(72 / size);
    assert(await verifyPassword(longest, await hashPassword(longest, { cost: 4 })));
    const error = await rejection(hashPassword(longest + "x", { cost: 4 }));
    assertInstanceOf(error, RangeError);
    assertEquals(
      error.message,
      "Cannot hash a password of 73 bytes as bcrypt sees only the first 72",
    );
  }
});

Deno.test("hashPassword() refuses a NUL, half of a surrogate pair, and what is no string", async () => {
  const cases: [unknown, string][] = [
    ["a\0b", "Cannot hash a password with a NUL character in it as bcrypt stops there"],
    ["a\ud800b", "Cannot hash a password with half of a surrogate pair in it"],
    [undefined, "Cannot hash a password as it must be a string: its type is undefined"],
    [7, "Cannot hash a password as it must be a string: its type is number"],
  ];
  for (const [password, message] of cases) {
    const error = await assertRejects(() => hashPassword(password as string), TypeError);
    assertEquals(error.message, message);
    assertEquals(
      assertThrows(() => hashPasswordSync(password as string), TypeError).message,
      message,
    );
  }
});

Deno.test("hashPassword() refuses a cost out of range", async () => {
  for (const cost of [3, 32, 4.5, NaN, "12"]) {
    const error = await assertRejects(
      () => hashPassword("a", { cost: cost as number }),
      RangeError,
    );
    assert(
      error.message.startsWith("Cannot hash a password as 'cost' must be an integer from 4 to 31"),
    );
    assertThrows(() => hashPasswordSync("a", { cost: cost as number }), RangeError);
  }
});

Deno.test("hashPassword() never shows the password in an error", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, unit: CHARACTER }), async (text) => {
      const secret = `SECRET${text}`.padEnd(80, "x");
      const error = await rejection(hashPassword(secret, { cost: 4 }));
      assert(!Deno.inspect(error).includes("SECRET"));
    }),
  );
});

Deno.test("verifyPassword() tells whose hash it is", async () => {
  for (const hash of [await hashPassword("a", { cost: 4 }), await scryptPassword("a", { N: 2 })]) {
    assertEquals(await verifyPassword("a", hash), true);
    assertEquals(await verifyPassword("b", hash), false);
    assertEquals(await verifyPassword("", hash), false);
  }
});

Deno.test("verifyPassword() takes no longer password for the one that bcrypt would cut it to", async () => {
  const hash = await hashPassword("x".repeat(72), { cost: 4 });
  assertEquals(await verifyPassword("x".repeat(73), hash), false);
  assertEquals(await verifyPassword("x".repeat(72) + "\0", hash), false);
});

Deno.test("verifyPassword() reads hashes that other programs made", async () => {
  const openBsd = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  assertEquals(await verifyPassword("U*U", openBsd), true);
  assertEquals(await verifyPassword("U*U", openBsd.replace("$2b$", "$2y$")), true);
});

Deno.test("verifyPassword() refuses what is no hash, and does not show it", async () => {
  for (const hash of ["", "secret", "$1$abc", "2b$04$short", "{SSHA}abc"]) {
    const error = await assertRejects(() => verifyPassword("a", hash), TypeError);
    assertEquals(
      error.message,
      "Cannot verify a password as the hash is not one of bcrypt, scrypt or argon2id",
    );
  }
});

Deno.test("scryptPassword() gives what node:crypto gives for the same salt", async () => {
  const hash = await scryptPassword("correct horse", { N: 64, r: 4, p: 2 });
  const [, name, parameters, salt, key] = hash.split("$");
  assertEquals([name, parameters], ["scrypt", "ln=6,r=4,p=2"]);
  const expected = scryptSync("correct horse", Uint8Array.fromBase64(salt), 32, {
    N: 64,
    r: 4,
    p: 2,
  });
  assertEquals(Uint8Array.fromBase64(key), new Uint8Array(expected));
});

Deno.test("scryptPassword() takes parameters that need more memory than node allows by default", async () => {
  const hash = await scryptPassword("a", { N: 2 ** 16, r: 8 });
  assert(await verifyPassword("a", hash));
});

Deno.test("scryptPassword() takes a long password and a NUL, as scrypt sees all of it", async () => {
  const password = "x".repeat(100) + "\0y";
  const hash = await scryptPassword(password, { N: 2 });
  assertEquals(await verifyPassword(password, hash), true);
  assertEquals(await verifyPassword("x".repeat(100), hash), false);
});

Deno.test("scryptPassword() refuses parameters out of range", async () => {
  const cases = [{ N: 1 }, { N: 3 }, { N: 0 }, { r: 0 }, { p: -1 }, { N: 2.5 }];
  for (const options of cases) await assertRejects(() => scryptPassword("a", options), RangeError);
});

Deno.test("hashPassword() hashes with Argon2id as the reference does", async () => {
  // Of the reference implementation, phc-winner-argon2: test.c.
  const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" +
    "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  assertEquals(await verifyPassword("password", known), true);
  assertEquals(await verifyPassword("Password", known), false);
  const options = { algorithm: "argon2id", cost: 1, memory: 64, parallelism: 2 } as const;
  const hash = await hashPassword("correct horse", options);
  assertMatch(hash, /^\$argon2id\$v=19\$m=64,t=1,p=2\$/);
  assertEquals(await verifyPassword("correct horse", hash), true);
  assertEquals(await verifyPassword("battery staple", hash), false);
  assertEquals(await verifyPassword("", hash), false);
  await assertRejects(() => hashPassword("", options), RangeError, "empty password");
  assertThrows(() => hashPasswordSync("a", options), TypeError, "without waiting");
});

Deno.test("verifyPassword() refuses a hash of Argon2id that asks for too much", async () => {
  const hash = `$argon2id$v=19$m=9999999,t=1,p=1$${"a".repeat(22)}$${"a".repeat(43)}`;
  await assertRejects(() => verifyPassword("a", hash), RangeError, "too much time or memory");
});

Deno.test("hashPassword() refuses a parameter of another algorithm, and an algorithm it does not know", async () => {
  await assertRejects(
    () => hashPassword("a", { memory: 1024 }),
    TypeError,
    "Cannot hash a password as 'memory' is not a parameter of bcrypt",
  );
  await assertRejects(
    () => hashPassword("a", { algorithm: "md5" as "bcrypt" }),
    TypeError,
    `Cannot hash a password as 'algorithm' must be "bcrypt", "scrypt" or "argon2id": current value is a string`,
  );
});

Deno.test("hashPasswordSync() hashes with scrypt", async () => {
  const hash = hashPasswordSync("a", { algorithm: "scrypt", cost: 4 });
  assertMatch(hash, /^\$scrypt\$ln=4,r=8,p=1\$/);
  assert(await verifyPassword("a", hash));
});

Deno.test("hashPasswordsSync() gives the hash of each password, in order", async () => {
  const passwords = ["a", "b", "c", "d", "e", "f"];
  const hashes = hashPasswordsSync(passwords, { cost: 4 });
  for (const [i, hash] of hashes.entries()) assert(await verifyPassword(passwords[i], hash));
  assertEquals(hashPasswordsSync([], { cost: 4 }), []);
  assertThrows(() => hashPasswordsSync(["a", "b\0"], { cost: 4 }), TypeError, "NUL");
  assertThrows(() => hashPasswordsSync(["a"], { cost: 3 }), RangeError, "'cost'");
});

Deno.test("checkPassword() knows what each algorithm can hash", () => {
  const long = "x".repeat(73);
  assertThrows(() => checkPassword(long), RangeError, "73 bytes");
  checkPassword(long, { algorithm: "scrypt" });
  checkPassword(long, { algorithm: "argon2id" });
  checkPassword("", { algorithm: "bcrypt" });
  assertThrows(() => checkPassword("", { algorithm: "argon2id" }), RangeError, "empty");
});

Deno.test("parametersOf() lists the parameters of an algorithm, with defaults within the limits", () => {
  const names = (["bcrypt", "scrypt", "argon2id"] as const).map((algorithm) => {
    const parameters = Object.entries(parametersOf(algorithm));
    for (const [_, { default: fallback, min, max, description }] of parameters) {
      assert(min <= fallback && fallback <= max && description !== "");
    }
    return parameters.map(([name]) => name);
  });
  assertEquals(names, [["cost"], ["cost", "blockSize", "parallelism"], [
    "cost",
    "memory",
    "parallelism",
  ]]);
});

Deno.test("randomPassword() gives ten lower-case letters, or as many as asked for", () => {
  assertMatch(randomPassword(), /^[a-z]{10}$/);
  assertMatch(randomPassword({ length: 3 }), /^[a-z]{3}$/);
  assertThrows(() => randomPassword({ length: 0 }), RangeError);
});

Deno.test("randomPassword() gives the same for a seed, and another for another", () => {
  const passwords = Array.from({ length: 10_000 }, (_, seed) => randomPassword({ seed }));
  assertEquals(new Set(passwords).size, 10_000);
  assertEquals(passwords[7], randomPassword({ seed: 7 }));
  assert(randomPassword({ seed: 2 ** 40 }) !== randomPassword({ seed: 0 }));
  assertThrows(() => randomPassword({ seed: 0.5 }), RangeError);
});

Deno.test("randomPassword() draws every letter about as often", () => {
  for (const seed of [undefined, 1]) {
    const letters = randomPassword({ length: 26_000, seed });
    const counts = new Map<string, number>();
    for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    assertEquals(counts.size, 26);
    // A thousand of each, with a standard deviation of 31.
    for (const count of counts.values()) assert(count > 800 && count < 1200, `${count}`);
  }
});

Deno.test("calibrate() finds the cost whose time is nearest to the target", async () => {
  // A machine on which a hash takes 1 ms at cost 4, and twice as long for each more.
  const { performance } = globalThis;
  let now = 0;
  const fake = { now: () => now };
  Object.defineProperty(globalThis, "performance", { value: fake, configurable: true });
  try {
    const hash = (_: string, { cost }: { cost: number }) => void (now += 2 ** (cost - 4));
    for (const [target, cost] of [[0.001, 4], [1, 4], [1.4, 4], [1.5, 5], [100, 11], [1e12, 31]]) {
      assertEquals(await calibrate(target, { hash }), cost, `${target} ms`);
    }
  } finally {
    Object.defineProperty(globalThis, "performance", { value: performance, configurable: true });
  }
});

Deno.test("calibrate() measures this machine", async () => {
  const cost = await calibrate(5);
  assert(cost >= 4 && cost <= 12, `${cost}`);
  for (const target of [0, -1, NaN, Infinity]) {
    await assertRejects(() => calibrate(target), RangeError);
  }
});

Deno.test("checkHash() takes what verifyPassword() can verify, and tells what is wrong with others", async () => {
  const tail = "R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
  const scrypt = (ln: number, rest = "") => `$scrypt$ln=${ln},r=8,p=1$c2FsdA$a2V5a2V5${rest}`;
  const argon = (type: string, m: number) =>
    `$argon2${type}$v=19$m=${m},t=2,p=1$c2FsdHNhbHQ$a2V5a2V5`;
  for (const hash of [`$2y$12$${tail}`, scrypt(14), argon("id", 64), argon("i", 64)]) {
    checkHash(hash);
  }
  const bad: [hash: string, sentence: string][] = [
    [`$2b$03$${tail}`, "its hash has the bcrypt cost 03, which must be from 04 to 31"],
    [`$2b$99$${tail}`, "its hash has the bcrypt cost 99, which must be from 04 to 31"],
    [`$2x$12$${tail}`, "its bcrypt hash is not $2a$, $2b$ or $2y$, a cost"],
    [`$2b$12$${tail.slice(1)}`, "and 53 characters"],
    [scrypt(14, "!"), "its scrypt hash is not in the form"],
    [scrypt(60), "its hash asks for too much time or memory, or for none"],
    [argon("id", 7), "its hash asks for too much time or memory, or for none"],
    [argon("x", 64), "its Argon2 hash is not in the form"],
    ["5f4dcc3b5aa765d61d8327deb882cf99", "the hash is not one of bcrypt, scrypt or argon2id"],
  ];
  for (const [hash, sentence] of bad) {
    assertThrows(() => checkHash(hash), Error, sentence);
    await assertRejects(() => verifyPassword("a", hash), Error, sentence);
  }
});

Deno.test("verifyPassword() overlooks the blanks with which char(n) pads a hash", async () => {
  const hash = await hashPassword("a", { cost: 4 });
  assert(await verifyPassword("a", hash.padEnd(100)));
  await assertRejects(() => verifyPassword("a", `${hash}\n`), TypeError);
});
