import { statfsSync } from "node:fs";
import { allowed } from "./_permissions.ts";

const MEMORY = "/dev/shm";

/** Bytes: several times as much as all tests together have in temporary files. */
const ENOUGH = 4 * 2 ** 30;

// To create or copy a database cluster on a disk may take fifteen times as long as in memory. The
// environment is that of all test files, and of the programs that they start.
if (allowed && !Deno.env.get("TMPDIR") && isOfUse()) Deno.env.set("TMPDIR", MEMORY);

/**
 * Another folder for temporary files, where they are in memory: what lies in /dev, Deno opens only with
 * all permissions.
 */
export const DISK = allowed && Deno.env.get("TMPDIR") === MEMORY ? "/tmp" : undefined;

/** Whether there is such a folder, with room, in which this user may write and run programs. */
function isOfUse(): boolean {
  try {
    const mounts = Deno.readTextFileSync("/proc/mounts").split("\n");
    const mount = mounts.find((line) => line.split(" ")[1] === MEMORY);
    if (mount === undefined || /\b(noexec|ro)\b/.test(mount)) return false;
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < ENOUGH) return false;
    Deno.removeSync(Deno.makeTempDirSync({ dir: MEMORY }));
    return true;
  } catch {
    return false;
  }
}
