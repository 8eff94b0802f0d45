import { isThenable } from "../shared/inspect.ts";
import { assertFunction } from "../shared/validate.ts";

/** Wraps a user's hook so that its errors go to the console, once, and no further. */
export function guardHook<A>(
  name: string,
  hook: ((value: A) => unknown) | undefined,
): ((value: A) => void) | undefined {
  if (hook === undefined) return undefined;
  assertFunction("create a batcher", name, hook);
  let complained = false;

  function complain(error: unknown): void {
    if (complained) return;
    complained = true;
    const message = `The '${name}' hook of a batcher threw; this is said only once:`;
    try {
      console.error(message, error);
    } catch {
      console.error(message, "an error that cannot be shown");
    }
  }

  return (value) => {
    try {
      const answer = hook(value);
      // A hook may be an async function, although its type does not say so.
      if (isThenable(answer)) Promise.resolve(answer).catch(complain);
    } catch (error) {
      complain(error);
    }
  };
}

/** Wraps a user's predicate so that throwing, or returning a promise, means no. */
export function guardQuestion(
  name: string,
  ask: (error: unknown) => unknown,
): (error: unknown) => boolean {
  assertFunction("create a batcher", name, ask);
  return (error) => {
    try {
      const answer = ask(error);
      if (!isThenable(answer)) return Boolean(answer);
      Promise.resolve(answer).catch(() => {});
      return false;
    } catch {
      return false;
    }
  };
}
