/** Opcodes of WebAssembly, as the specification numbers them. */
const OP = {
  loop: 0x03,
  end: 0x0b,
  brIf: 0x0d,
  call: 0x10,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  load: 0x28,
  store: 0x36,
  constant: 0x41,
  add: 0x6a,
  sub: 0x6b,
  and: 0x71,
  xor: 0x73,
  shl: 0x74,
  shrU: 0x76,
} as const;
const I32 = 0x7f;
const NO_RESULT = 0x40;
/** Addresses are multiples of 2 ** 2; it is a hint. */
const ALIGNED = 2;

/**
 * The body of a WebAssembly function, instruction by instruction: every value is an `i32`, operands
 * come before their operator, and nothing is returned.
 */
export class FunctionBody {
  readonly code: number[] = [];
  #locals: number;

  /** Parameters are the first locals. */
  constructor(readonly name: string, readonly parameters = 0) {
    this.#locals = parameters;
  }

  /** Locals that are no parameters. */
  get locals(): number {
    return this.#locals - this.parameters;
  }

  /** Declares a local variable. */
  local(): number {
    return this.#locals++;
  }

  get(local: number): this {
    return this.#emit(OP.get).#unsigned(local);
  }

  set(local: number): this {
    return this.#emit(OP.set).#unsigned(local);
  }

  /** As `set()`, and leaves the value on the stack. */
  tee(local: number): this {
    return this.#emit(OP.tee).#unsigned(local);
  }

  constant(value: number): this {
    return this.#emit(OP.constant).#signed(value);
  }

  /** Loads from the address on the stack plus a constant. */
  load(offset: number): this {
    return this.#emit(OP.load).#emit(ALIGNED).#unsigned(offset);
  }

  /** Stores at the address under the value on the stack, plus a constant. */
  store(offset: number): this {
    return this.#emit(OP.store).#emit(ALIGNED).#unsigned(offset);
  }

  add(): this {
    return this.#emit(OP.add);
  }

  sub(): this {
    return this.#emit(OP.sub);
  }

  and(): this {
    return this.#emit(OP.and);
  }

  xor(): this {
    return this.#emit(OP.xor);
  }

  shl(): this {
    return this.#emit(OP.shl);
  }

  shrU(): this {
    return this.#emit(OP.shrU);
  }

  /** Calls a function by its place in the module. */
  call(index: number): this {
    return this.#emit(OP.call).#unsigned(index);
  }

  /** Emits what another body has, whose locals are numbered in the same way. */
  append({ code }: FunctionBody): this {
    for (const byte of code) this.code.push(byte);
    return this;
  }

  /** Repeats what `body` emits, until it leaves a zero on the stack. */
  repeat(body: () => void): this {
    this.#emit(OP.loop).#emit(NO_RESULT);
    body();
    return this.#emit(OP.brIf).#emit(0).#emit(OP.end);
  }

  #emit(byte: number): this {
    this.code.push(byte);
    return this;
  }

  #unsigned(value: number): this {
    pushUnsigned(this.code, value);
    return this;
  }

  /** LEB128 of a 32-bit number with its sign. */
  #signed(value: number): this {
    for (; value < -0x40 || value > 0x3f; value >>= 7) this.code.push(value & 0x7f | 0x80);
    return this.#emit(value & 0x7f);
  }
}

/** Where a module finds its memory. */
export interface MemoryImport {
  readonly module: string;
  readonly name: string;
  /** Its size, which is fixed, in pages of 64 KiB. */
  readonly pages: number;
}

/** Assembles a module that exports its functions, and works on a memory that it is given. */
export function assembleModule(
  functions: readonly FunctionBody[],
  { module, name, pages }: MemoryImport,
): Uint8Array<ArrayBuffer> {
  const arities = [...new Set(functions.map(({ parameters }) => parameters))];
  const types = arities.map((arity) => [0x60, ...vector(Array(arity).fill([I32])), 0]);
  const memory = [
    ...text(module),
    ...text(name),
    0x02,
    0x01,
    ...unsigned(pages),
    ...unsigned(pages),
  ];
  const magicAndVersion = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  return Uint8Array.from(concat([
    magicAndVersion,
    section(1, types),
    section(2, [memory]),
    section(3, functions.map(({ parameters }) => [arities.indexOf(parameters)])),
    section(7, functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)])),
    section(10, functions.map(codeEntry)),
  ]));
}

function codeEntry({ code, locals }: FunctionBody): number[] {
  const declared = locals === 0 ? [] : [[...unsigned(locals), I32]];
  const body = concat([vector(declared), code, [OP.end]]);
  return concat([unsigned(body.length), body]);
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = vector(items);
  return concat([[id], unsigned(content.length), content]);
}

function vector(items: readonly (readonly number[])[]): number[] {
  return concat([unsigned(items.length), ...items]);
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
}

/** As `flat()`, which takes ten times as long. */
function concat(parts: readonly (readonly number[])[]): number[] {
  const all: number[] = [];
  for (const part of parts) for (const byte of part) all.push(byte);
  return all;
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  pushUnsigned(bytes, value);
  return bytes;
}

/** LEB128 of a number below 2 ** 32. */
function pushUnsigned(bytes: number[], value: number): void {
  for (; value > 0x7f; value >>>= 7) bytes.push(value & 0x7f | 0x80);
  bytes.push(value);
}
