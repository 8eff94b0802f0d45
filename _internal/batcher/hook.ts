/** Wraps a hook of the user's so that whatever it throws goes to the console, once, and no further. */
export function guardHook<A>(
  name: string,
  hook: ((value: A) => unknown) | undefined,
): (value: A) => void {
  let complained = false;

  function complain(error: unknown): void {
    if (complained) return;
    complained = true;
    console.error(`The '${name}' hook of a batcher threw; this is said only once:`, error);
  }

  return (value) => {
    try {
      const answer = hook?.(value);
      // A hook may be an async function, although its type does not say so.
      if (answer instanceof Promise) answer.catch(complain);
    } catch (error) {
      complain(error);
    }
  };
}
