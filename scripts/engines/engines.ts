import { hashPasswordsSync, hashPasswordSync } from "../../workload.ts";

/** Hashes passwords, one thread's work. */
export type HashAll = (passwords: readonly string[], cost: number) => void | Promise<void>;

/** Something that hashes with bcrypt. */
export interface Engine {
  readonly name: string;
  readonly description: string;
  /** Loads it into this thread. Peers are fetched from npm by then, and not before. */
  load(): Promise<HashAll>;
}

/** What is compared: ours, and what people use otherwise. */
export const ENGINES: readonly Engine[] = [
  {
    name: "bcryptjs",
    description: "JavaScript, the reference",
    load: () => Promise.resolve(oneByOne((password, cost) => hashPasswordSync(password, { cost }))),
  },
  {
    name: "hash-wasm",
    description: "npm:hash-wasm@4, WebAssembly compiled from C",
    async load() {
      const { bcrypt } = await peer("hash-wasm@4");
      return async (passwords, cost) => {
        for (const password of passwords) {
          const salt = crypto.getRandomValues(new Uint8Array(16));
          await bcrypt({ password, salt, costFactor: cost, outputType: "encoded" });
        }
      };
    },
  },
  {
    name: "@node-rs/bcrypt",
    description: "npm:@node-rs/bcrypt@1.10, an addon in Rust",
    async load() {
      const { hashSync } = await peer("@node-rs/bcrypt@1.10.7");
      return oneByOne(hashSync);
    },
  },
  {
    name: "bcrypt",
    description: "npm:bcrypt@6, an addon in C++",
    async load() {
      const { hashSync } = (await peer("bcrypt@6")).default;
      return oneByOne(hashSync);
    },
  },
  {
    name: "lanes",
    description: "WebAssembly assembled here, 3 passwords at once",
    load: () => Promise.resolve((passwords, cost) => void hashPasswordsSync(passwords, { cost })),
  },
];

function oneByOne(hash: (password: string, cost: number) => unknown): HashAll {
  return (passwords, cost) => {
    for (const password of passwords) hash(password, cost);
  };
}

/** A specifier that is not written out is neither fetched with the rest of the program nor checked. */
// deno-lint-ignore no-explicit-any
function peer(name: string): Promise<any> {
  return import(`npm:${name}`);
}
