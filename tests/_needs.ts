import "./_temporary.ts";
import { userInfo } from "node:os";
import process from "node:process";
import { allowed } from "./_permissions.ts";

/** Something that a test needs and not every machine has. */
export interface Need {
  readonly name: string;
  readonly met: boolean;
}

/** A user with a name: PostgreSQL starts for no other. */
export const ACCOUNT: Need = { name: "a user with an entry in /etc/passwd", met: hasName() };

function hasName(): boolean {
  if (!allowed) return false;
  try {
    return userInfo().username !== "";
  } catch {
    return false;
  }
}

export const ROOT: Need = { name: "root", met: allowed && process.getuid?.() === 0 };

/** Signals and a shell. */
export const UNIX: Need = { name: "Unix", met: Deno.build.os !== "windows" };

/**
 * Name and `ignore` of a test that needs something. Where this machine lacks it, or the permissions
 * are missing, the test is ignored, and its name says why.
 */
export function needing(
  name: string,
  ...needs: readonly Need[]
): { name: string; ignore: boolean } {
  const missing = allowed ? needs.filter(({ met }) => !met).map((need) => need.name) : ["-A"];
  if (missing.length === 0) return { name, ignore: false };
  return { name: `${name} (needs ${missing.join(" and ")})`, ignore: true };
}
