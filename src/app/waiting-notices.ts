import type { Writable } from 'node:stream';
import { WAITING_NOTICE_EVERY_MS } from '../domain/words/progress.js';
import type { Clock } from '../ports/clock.js';

/**
 * Tells one who waits so, on standard error: at once and again from time to time, until the wait is over. Whoever does
 * not read what they are told is told no more.
 *
 * @param wait tells `onWaiting` what it waits for: nothing is said before, and the latest counts.
 */
export async function tellWhileWaiting<On extends object, Answer>(
  stderr: Writable,
  clock: Clock,
  words: (on: On, waitedMs: number) => string,
  wait: (onWaiting: (on: On) => void) => Promise<Answer>,
  everyMs = WAITING_NOTICE_EVERY_MS,
): Promise<Answer> {
  const since = clock.now();
  const over = new AbortController();
  let current: On | undefined;
  const keepTelling = async (): Promise<void> => {
    while (current !== undefined && !over.signal.aborted) {
      if (!stderr.writableNeedDrain) stderr.write(words(current, clock.now() - since));
      await clock.sleep(everyMs, over.signal);
    }
  };
  const onWaiting = (on: On) => {
    const isFirst = current === undefined;
    current = on;
    if (isFirst) keepTelling().catch(() => undefined);
  };
  try {
    return await wait(onWaiting);
  } finally {
    over.abort();
  }
}
