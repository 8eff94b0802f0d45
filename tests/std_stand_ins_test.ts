// The contract of the stand-ins in `std/`. It holds for the real @std/assert and @std/cli as well:
// nothing here may depend on which of the two is behind the import.
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";

class Point {
  constructor(readonly x: number, readonly y: number) {}
}

function circular(): Record<string, unknown> {
  const value: Record<string, unknown> = { id: 1 };
  return Object.assign(value, { value });
}

const error = new Error("lost");

const equal: [name: string, a: unknown, b: unknown][] = [
  ["NaN", NaN, NaN],
  ["nested objects and arrays", { a: [{ b: 1 }] }, { a: [{ b: 1 }] }],
  ["properties in another order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["instances of one class", new Point(1, 2), new Point(1, 2)],
  ["dates of one time", new Date(7), new Date(7)],
  ["regular expressions", /a+/gi, /a+/gi],
  ["typed arrays", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["array buffers", new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
  ["sets in another order", new Set(["a", "b"]), new Set(["b", "a"])],
  ["sets of objects", new Set([{ a: 1 }, { b: 1 }]), new Set([{ b: 1 }, { a: 1 }])],
  ["maps with objects as keys", new Map([[{ a: 1 }, [1]]]), new Map([[{ a: 1 }, [1]]])],
  ["symbols as keys", { [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 1 }],
  ["circular objects", circular(), circular()],
  ["URLs", new URL("https://example.com/a"), new URL("https://example.com/a")],
  ["the same error", [error], [error]],
];

const unequal: [name: string, a: unknown, b: unknown][] = [
  ["a number and its string", 1, "1"],
  ["null and undefined", null, undefined],
  ["an undefined property and none", { a: undefined }, {}],
  ["undefined properties of other names", { a: undefined }, { b: undefined }],
  ["a hole in an array and undefined", Array(1), [undefined]],
  ["an array and an object", [1], { 0: 1 }],
  ["a class instance and a plain object", new Point(1, 2), { x: 1, y: 2 }],
  ["dates of other times", new Date(7), new Date(8)],
  ["regular expressions of other flags", /a/, /a/g],
  ["typed arrays of other classes", new Uint8Array([1]), new Int8Array([1])],
  ["typed arrays of other values", new Uint8Array([1]), new Uint8Array([2])],
  ["sets of other values", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["maps of other values", new Map([["a", { b: 1 }]]), new Map([["a", { b: 2 }]])],
  ["symbol keys of other values", { [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 }],
  ["functions", () => 1, () => 1],
  ["URLs of other paths", new URL("https://example.com/a"), new URL("https://example.com/b")],
  ["errors of other classes", new TypeError("lost"), new RangeError("lost")],
  ["errors of one message from other places", [error], [new Error("lost")]],
];

for (const [name, a, b] of equal) {
  Deno.test(`assertEquals() accepts ${name}`, () => assertEquals(a, b));
  Deno.test(`assertNotEquals() refuses ${name}`, () => {
    assertThrows(() => assertNotEquals(a, b), AssertionError, "not to be");
  });
}

for (const [name, a, b] of unequal) {
  Deno.test(`assertNotEquals() accepts ${name}`, () => assertNotEquals(a, b));
  Deno.test(`assertEquals() refuses ${name}`, () => {
    assertThrows(() => assertEquals(a, b), AssertionError, "Values are not equal.");
  });
}

Deno.test("assertEquals() adds the caller's message to its own", () => {
  assertThrows(
    () => assertEquals([1], [2], "rows saved"),
    AssertionError,
    "Values are not equal: rows saved",
  );
});

Deno.test("assertEquals() shows both values when it fails", () => {
  const { message } = assertThrows(
    () => assertEquals({ id: "first" }, { id: "second" }),
    AssertionError,
  );
  assertStringIncludes(message, "first");
  assertStringIncludes(message, "second");
});

Deno.test("assertEquals() takes values of one type only", () => {
  assertThrows(() => {
    // @ts-expect-error: a number and a string
    assertEquals(1, "1");
  }, AssertionError);
});

Deno.test("AssertionError has a name, a message and a cause", () => {
  const failure = new AssertionError("no rows", { cause: error });
  assertInstanceOf(failure, Error);
  assertEquals(failure.name, "AssertionError");
  assertEquals(failure.message, "no rows");
  assertStrictEquals(failure.cause, error);
});

Deno.test("assert() narrows the type of what it tests", () => {
  const name = ["ada", "grace"].find((name) => name.startsWith("g"));
  assert(name);
  assertEquals(name.length, 5);
});

Deno.test("assert() fails for every falsy value", () => {
  for (const value of [false, 0, 0n, "", null, undefined, NaN]) {
    assertThrows(() => assert(value), AssertionError);
  }
});

Deno.test("assert() fails with the caller's message", () => {
  assertEquals(assertThrows(() => assert(false, "no row"), AssertionError).message, "no row");
});

Deno.test("assertStrictEquals() accepts what Object.is() accepts", () => {
  assertStrictEquals(NaN, NaN);
  assertStrictEquals(error, error);
});

Deno.test("assertStrictEquals() narrows the type of what it tests", () => {
  const value: unknown = "saved";
  assertStrictEquals(value, "saved");
  assertEquals(value.length, 5);
});

Deno.test("assertStrictEquals() tells 0 from -0", () => {
  assertThrows(() => assertStrictEquals(0, -0), AssertionError, "not strictly equal.");
});

Deno.test("assertStrictEquals() refuses equal objects that are not the same", () => {
  assertThrows(() => assertStrictEquals({}, {}, "row"), AssertionError, "equal: row");
});

Deno.test("assertInstanceOf() narrows the type of what it tests", () => {
  const value: unknown = new Point(1, 2);
  assertInstanceOf(value, Point);
  assertEquals(value.x, 1);
});

Deno.test("assertInstanceOf() takes abstract classes", () => {
  abstract class Shape {}
  class Circle extends Shape {}
  assertInstanceOf(new Circle(), Shape);
});

Deno.test("assertInstanceOf() names both classes when it fails", () => {
  assertThrows(
    () => assertInstanceOf(new Date(), Point),
    AssertionError,
    'Expected object to be an instance of "Point" but was "Date".',
  );
});

Deno.test("assertInstanceOf() refuses null, undefined and primitives", () => {
  assertThrows(() => assertInstanceOf(null, Point), AssertionError, '"null"');
  assertThrows(() => assertInstanceOf(undefined, Point), AssertionError, '"undefined"');
  assertThrows(() => assertInstanceOf(1, Number), AssertionError, '"number"');
});

Deno.test("assertMatch() fails when the pattern is not found", () => {
  assertMatch("cost 12", /\d+/);
  assertThrows(() => assertMatch("cost", /\d+/), AssertionError, 'to match: "/\\d+/".');
});

Deno.test("assertStringIncludes() fails when the text is not found", () => {
  assertStringIncludes("cost 12", "12");
  assertThrows(() => assertStringIncludes("cost", "12"), AssertionError, 'to contain: "12".');
});

Deno.test("assertGreater() fails for equal values", () => {
  assertGreater(2, 1);
  assertThrows(() => assertGreater(1, 1), AssertionError, "Expect 1 > 1");
});

Deno.test("assertGreaterOrEqual() fails for less", () => {
  assertGreaterOrEqual(1, 1);
  assertThrows(() => assertGreaterOrEqual(0, 1), AssertionError, "Expect 0 >= 1");
});

Deno.test("assertLess() fails for equal values", () => {
  assertLess(new Date(1), new Date(2));
  assertThrows(() => assertLess("a", "a"), AssertionError, 'Expect "a" < "a"');
});

Deno.test("assertLessOrEqual() fails for greater", () => {
  assertLessOrEqual(1n, 1n);
  assertThrows(() => assertLessOrEqual(2, 1), AssertionError, "Expect 2 <= 1");
});

Deno.test("assertGreater() and its kin fail for NaN", () => {
  for (const compare of [assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual]) {
    assertThrows(() => compare(NaN, 1), AssertionError);
  }
});

Deno.test("assertGreater() fails with the caller's message in place of its own", () => {
  const failure = assertThrows(() => assertGreater(1, 2, "too slow"), AssertionError);
  assertEquals(failure.message, "too slow");
});

function fail(value: unknown): () => never {
  return () => {
    throw value;
  };
}

Deno.test("assertThrows() returns the error, as its class", () => {
  const thrown = assertThrows(fail(new AggregateError([error])), AggregateError);
  assertStrictEquals(thrown.errors[0], error);
});

Deno.test("assertThrows() without a class returns whatever was thrown", () => {
  const thrown: unknown = assertThrows(fail(undefined));
  assertEquals(thrown, undefined);
  assertEquals(assertThrows(fail("no error"), "a message"), "no error");
});

Deno.test("assertThrows() accepts a subclass of the class", () => {
  assertThrows(fail(new RangeError("lost")), Error, "lost");
});

Deno.test("assertThrows() fails when nothing is thrown", () => {
  assertThrows(() => assertThrows(() => {}), AssertionError, "Expected function to throw.");
  assertThrows(
    () => assertThrows(() => {}, "so"),
    AssertionError,
    "Expected function to throw: so",
  );
  assertThrows(() => assertThrows(() => {}, Error, "", "so"), AssertionError, "throw: so");
});

Deno.test("assertThrows() fails for a function that returns a promise, even if it rejects", () => {
  const rejected = Promise.reject(error);
  rejected.catch(() => {});
  assertThrows(
    () => assertThrows(() => rejected, Error),
    AssertionError,
    "Expected function to throw.",
  );
});

Deno.test("assertThrows() fails for an error of another class", () => {
  assertThrows(
    () => assertThrows(fail(new TypeError("lost")), RangeError),
    AssertionError,
    'Expected error to be instance of "RangeError", but was "TypeError".',
  );
});

Deno.test("assertThrows() fails for an error without the text", () => {
  assertThrows(
    () => assertThrows(fail(error), Error, "found", "the row"),
    AssertionError,
    'Expected error message to include "found", but got "lost": the row',
  );
});

Deno.test("assertThrows() fails when a class is expected and no error is thrown", () => {
  assertThrows(
    () => assertThrows(fail("lost"), Error, "lost"),
    AssertionError,
    "A non-Error object was thrown.",
  );
});

Deno.test("assertThrows() ignores colors when it looks for the text", () => {
  assertThrows(fail(new Error("the \x1b[31mrow\x1b[39m is lost")), Error, "the row is");
});

Deno.test("assertRejects() returns the error, as its class", async () => {
  const thrown = await assertRejects(
    () => Promise.reject(new AggregateError([error])),
    AggregateError,
  );
  assertStrictEquals(thrown.errors[0], error);
});

Deno.test("assertRejects() without a class returns whatever was thrown", async () => {
  const thrown: unknown = await assertRejects(() => Promise.reject(undefined));
  assertEquals(thrown, undefined);
  assertEquals(await assertRejects(() => Promise.reject("no error"), "a message"), "no error");
});

Deno.test("assertRejects() fails when the promise fulfills", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject.",
  );
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1), Error, "", "so"),
    AssertionError,
    "Expected function to reject: so",
  );
});

Deno.test("assertRejects() fails when the function throws instead", async () => {
  await assertRejects(
    () => assertRejects(fail(error), Error, "lost"),
    AssertionError,
    "Function throws when expected to reject.",
  );
});

Deno.test("assertRejects() fails when the function returns no promise", async () => {
  await assertRejects(
    // deno-lint-ignore no-explicit-any
    () => assertRejects((() => 1) as any),
    AssertionError,
    "Function throws when expected to reject.",
  );
});

Deno.test("assertRejects() accepts any thenable", async () => {
  // deno-lint-ignore no-explicit-any
  const thenable: any = { then: (_: unknown, reject: (reason: Error) => void) => reject(error) };
  assertStrictEquals(await assertRejects(() => thenable, Error, "lost"), error);
});

Deno.test("assertRejects() fails for an error of another class", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.reject(new TypeError("lost")), RangeError),
    AssertionError,
    'Expected error to be instance of "RangeError", but was "TypeError".',
  );
});

Deno.test("assertRejects() fails for an error without the text", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.reject(error), Error, "found"),
    AssertionError,
    'Expected error message to include "found", but got "lost".',
  );
});

Deno.test("assertRejects() fails when a class is expected and no error is the reason", async () => {
  await assertRejects(
    () => assertRejects(() => Promise.reject("lost"), Error),
    AssertionError,
    "A non-Error object was rejected.",
  );
});

Deno.test("parseArgs() without options takes any name", () => {
  const args = parseArgs(["--cost", "12", "--json", "--file=a.csv", "b.csv"]);
  assertEquals(args, { cost: 12, json: true, file: "a.csv", _: ["b.csv"] });
  const cost: number = args.cost;
  assertEquals(cost, 12);
});

Deno.test("parseArgs() types the options that are declared", () => {
  const args = parseArgs(["--file", "a.csv", "--mode", "burst"], {
    string: ["file", "mode", "url"],
    boolean: ["json"],
    collect: ["mode"],
  });
  const file: string | undefined = args.file;
  const json: boolean = args.json;
  const modes: string[] = args.mode;
  const others: (string | number)[] = args._;
  assertEquals([file, args.url, json, modes, others], ["a.csv", undefined, false, ["burst"], []]);
  // @ts-expect-error: it may be missing
  const _file: string = args.file;
  // @ts-expect-error: it is not declared, so nothing is known of it
  const _port: number = args.port;
});

Deno.test("parseArgs() gives a string option its value after = or a space", () => {
  const parse = (...args: string[]) => parseArgs(args, { string: ["a"] });
  assertEquals(parse("--a=1"), { a: "1", _: [] });
  assertEquals(parse("--a", "1"), { a: "1", _: [] });
  assertEquals(parse("--a=b=c"), { a: "b=c", _: [] });
});

Deno.test("parseArgs() gives a string option without a value an empty one", () => {
  const parse = (...args: string[]) => parseArgs(args, { string: ["a"], boolean: ["b"] });
  assertEquals(parse("--a"), { a: "", b: false, _: [] });
  assertEquals(parse("--a", "--b"), { a: "", b: true, _: [] });
  assertEquals(parse("--a", ""), { a: "", b: false, _: [""] });
});

Deno.test("parseArgs() leaves a string option that is not given out", () => {
  assertEquals(parseArgs([], { string: ["a"] }), { _: [] });
});

Deno.test("parseArgs() counts the last of repeated options", () => {
  const parse = (...args: string[]) => parseArgs(args, { string: ["a"], boolean: ["b"] });
  assertEquals(parse("--a=1", "--a", "2", "--b", "--b=false"), {
    a: "2",
    b: false,
    _: [],
  });
  assertEquals(parseArgs(["--x=1", "--x=2"]), { x: 2, _: [] });
});

Deno.test("parseArgs() makes a number of what looks like one, unless the option is a string", () => {
  const args = ["--a=010", "--b=010", "--c=1e3", "--d=0x10", "--e=1_000", "--f=Infinity", "7"];
  assertEquals(parseArgs(args, { string: ["a"] }), {
    a: "010",
    b: 10,
    c: 1000,
    d: 16,
    e: "1_000",
    f: "Infinity",
    _: [7],
  });
});

Deno.test("parseArgs() takes a negative number only after =", () => {
  const parse = (...args: string[]) => parseArgs(args, { string: ["a"] });
  assertEquals(parse("--a=-5"), { a: "-5", _: [] });
  assertEquals(parse("--a", "-5"), { a: "", 5: true, _: [] });
});

Deno.test("parseArgs() gives a boolean option no value but true and false", () => {
  const parse = (...args: string[]) => parseArgs(args, { boolean: ["b"] });
  assertEquals(parse("--b", "a.csv"), { b: true, _: ["a.csv"] });
  assertEquals(parse("--b", "false", "a.csv"), { b: false, _: ["a.csv"] });
  assertEquals(parse("--b=false"), { b: false, _: [] });
  assertEquals(parse("--b=0"), { b: true, _: [] });
});

Deno.test("parseArgs() reads --no-name as a name, unless it is negatable", () => {
  assertEquals(parseArgs(["--no-color"], { boolean: ["color"] }), {
    color: false,
    "no-color": true,
    _: [],
  });
  assertEquals(parseArgs(["--no-cache"], { boolean: ["no-cache"] }), { "no-cache": true, _: [] });
  assertEquals(
    parseArgs(["--no-color"], {
      boolean: ["color"],
      negatable: ["color"],
      default: { color: true },
    }),
    { color: false, _: [] },
  );
});

Deno.test("parseArgs() types a negatable string option", () => {
  const args = parseArgs(["--no-report"], { string: ["report"], negatable: ["report"] });
  const report: string | false | undefined = args.report;
  assertEquals(report, false);
});

Deno.test("parseArgs() reads a group of short options", () => {
  const parse = (...args: string[]) => parseArgs(args, { boolean: ["a", "b"], string: ["n"] });
  assertEquals(parse("-ab"), { a: true, b: true, _: [] });
  assertEquals(parse("-abn", "5"), { a: true, b: true, n: "5", _: [] });
  assertEquals(parse("-n5"), { a: false, b: false, n: "5", _: [] });
  assertEquals(parse("-n=five"), { a: false, b: false, n: "five", _: [] });
  assertEquals(parse("-n", "five"), { a: false, b: false, n: "five", _: [] });
  assertEquals(parse("-n"), { a: false, b: false, n: "", _: [] });
});

Deno.test("parseArgs() reads - as an argument that belongs to no option", () => {
  assertEquals(parseArgs(["-"]), { _: ["-"] });
  assertEquals(parseArgs(["--a", "-"], { string: ["a"] }), { a: "", _: ["-"] });
  assertEquals(parseArgs(["-a", "-"], { string: ["a"] }), { a: "-", _: [] });
});

Deno.test("parseArgs() reads nothing after -- as an option", () => {
  assertEquals(parseArgs(["--a", "--", "--b", "5", "--"]), { a: true, _: ["--b", "5", "--"] });
});

Deno.test("parseArgs() keeps what follows -- apart if asked", () => {
  const args = parseArgs(["a", "--", "b"], { "--": true });
  const after: string[] = args["--"];
  assertEquals(args, { _: ["a"], "--": ["b"] });
  assertEquals(after, ["b"]);
});

Deno.test("parseArgs() stops early if asked", () => {
  const args = parseArgs(["--a", "--b=1", "run", "--c", "5"], { boolean: ["a"], stopEarly: true });
  assertEquals(args, { a: true, b: 1, _: ["run", "--c", "5"] });
});

Deno.test("parseArgs() collects into arrays", () => {
  const args = parseArgs(["--a=1", "--n=1", "--a", "2", "-vv", "--n", "2"], {
    string: ["a"],
    boolean: ["v"],
    collect: ["a", "v", "n"],
  });
  assertEquals(args, { a: ["1", "2"], v: [true, true], n: [1, 2], _: [] });
});

Deno.test("parseArgs() collects nothing into an empty array", () => {
  const args = parseArgs([], { string: ["a"], boolean: ["v"], collect: ["a", "v"] });
  assertEquals(args, { a: [], v: [], _: [] });
});

Deno.test("parseArgs() takes a default for an option that is not given", () => {
  const parse = (...args: string[]) =>
    parseArgs(args, {
      string: ["a", "c", "m"],
      boolean: ["b"],
      collect: ["m"],
      default: { a: "x", b: true, c: "y", m: ["burst"] },
    });
  assertEquals(parse("--c", "z"), { a: "x", b: true, c: "z", m: ["burst"], _: [] });
  assertEquals(parse("--m", "pool", "--a", "--b=false"), {
    a: "",
    b: false,
    c: "y",
    m: ["pool"],
    _: [],
  });
});

Deno.test("parseArgs() types an option with a default as never missing", () => {
  const args = parseArgs([], { string: ["a", "n"], default: { a: "x", n: 5 } });
  const a: string = args.a;
  const n: string | number = args.n;
  assertEquals([a, n], ["x", 5]);
});

Deno.test("parseArgs() gives an option and its aliases the same value", () => {
  const parse = (...args: string[]) =>
    parseArgs(args, {
      string: ["url"],
      boolean: ["help"],
      collect: ["file"],
      default: { level: 1 },
      alias: { help: ["h", "?"], u: "url", file: "f", level: "l" },
    });
  assertEquals(parse("-h", "-u", "5", "-f", "a", "--file=b"), {
    help: true,
    h: true,
    "?": true,
    url: "5",
    u: "5",
    file: ["a", "b"],
    f: ["a", "b"],
    level: 1,
    l: 1,
    _: [],
  });
});

Deno.test("parseArgs() types the aliases of a declared option", () => {
  const args = parseArgs(["-h"], { boolean: ["help"], alias: { help: "h" } });
  const help: boolean = args.h;
  assertEquals(help, true);
});

Deno.test("parseArgs() calls unknown with each option that is not declared, and its value", () => {
  const calls: unknown[] = [];
  parseArgs(["--jsn", "--cost=5", "--mode", "burst", "-xn5", "--a=1", "--b", "--c=1", "-d"], {
    string: ["a"],
    boolean: ["b"],
    collect: ["c"],
    alias: { a: "d" },
    unknown: (...call) => calls.push(call.filter((part) => part !== undefined)),
  });
  assertEquals(calls, [
    ["--jsn", "jsn", true],
    ["--cost=5", "cost", "5"],
    ["--mode", "mode", "burst"],
    ["-xn5", "x", "n5"],
  ]);
});

Deno.test("parseArgs() calls unknown with each argument that belongs to no option", () => {
  const calls: unknown[] = [];
  parseArgs(["a.csv", "--b", "5", "--", "rest"], {
    boolean: ["b"],
    unknown: (arg, key) => void calls.push(arg, key),
  });
  assertEquals(calls, ["a.csv", undefined, "5", undefined]);
});

Deno.test("parseArgs() leaves out what unknown returns false for", () => {
  const args = parseArgs(["--jsn", "--cost", "5", "a.csv", "--b"], {
    boolean: ["b"],
    unknown: () => false,
  });
  assertEquals(args, { b: true, _: [] });
});

Deno.test("parseArgs() does not change the arguments", () => {
  const args = ["--a", "1", "--", "2"];
  parseArgs(args);
  assertEquals(args, ["--a", "1", "--", "2"]);
});

Deno.test("parseArgs() cannot be made to change the prototype of all objects", () => {
  parseArgs(["--__proto__.polluted=1", "--constructor.prototype.polluted=1"]);
  assertEquals(Object.hasOwn(Object.prototype, "polluted"), false);
});
