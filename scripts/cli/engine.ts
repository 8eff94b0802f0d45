import type { HashEngine } from "../../hash_pool.ts";
import { choice, type Flag } from "./flags.ts";

const ENGINES: readonly HashEngine[] = ["auto", "lanes", "bcryptjs"];

/** The flag `--engine`. */
export function engine(help: string): Flag<HashEngine> {
  return choice(`${help}; auto is lanes, or bcryptjs where that cannot be used`, ENGINES, "auto");
}
