/** Whether tests may start programs and talk to servers; without that they show as ignored. */
export const allowed = (["net", "env", "run", "read", "write", "sys"] as const)
  .every((name) => Deno.permissions.querySync({ name }).state === "granted");
