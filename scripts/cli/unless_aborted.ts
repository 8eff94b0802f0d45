/** What is waited for, until the signal is aborted. What it brings after that is let go. */
export async function unlessAborted<T>(waiting: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    return await Promise.race([waiting, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    waiting.catch(() => {});
  }
}
