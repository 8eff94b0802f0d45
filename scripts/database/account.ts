/** A user of the operating system. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user to run PostgreSQL as, where that is not the user of this program: PostgreSQL refuses to
 * run as root. It is not the system's `postgres`, as whoever rules its server could read the data.
 *
 * @param dataDir Folder with existing data. PostgreSQL insists on running as the owner of its data.
 */
export async function serverAccount(dataDir?: string): Promise<Account | undefined> {
  if (Deno.build.os === "windows" || Deno.uid() !== 0) return undefined;
  const owner = dataDir === undefined ? undefined : await Deno.stat(dataDir).catch(() => undefined);
  if (owner?.uid) return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid ?? owner.uid };
  const passwd = await Deno.readTextFile("/etc/passwd").catch(() => "");
  return accountNamed("burst", passwd) ?? accountNamed("nobody", passwd) ??
    { name: "nobody", uid: 65_534, gid: 65_534 };
}

function accountNamed(name: string, passwd: string): Account | undefined {
  const fields = passwd.split("\n").map((line) => line.split(":"))
    .find((fields) => fields[0] === name);
  // macOS gives nobody the number -2, which the system calls expect as 4294967294
  return fields && { name, uid: Number(fields[2]) >>> 0, gid: Number(fields[3]) >>> 0 };
}
