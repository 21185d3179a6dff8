/** Longer than anything that is held on to; it is never waited for. */
const LONG_MS = 2 ** 30;

/** Keeps the process alive until the work is done: what waits by the Clock does not, and what it waits for may be far. */
export async function holdingProcess<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, LONG_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
