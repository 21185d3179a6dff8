/** Waiting no longer than somebody wants to. */
import { Trouble } from './trouble.js';

interface Limit {
  readonly signal: AbortSignal;
  /** To be called when the work is done. */
  readonly lift: () => void;
}

/** A signal that aborts with the given one, or as late when the time is over. */
export function limited(signal: AbortSignal, withinMs: number | undefined): Limit {
  const over = new AbortController();
  const giveUp = () => over.abort(signal.reason);
  const beLate = () => over.abort(Trouble.late(`no answer within ${withinMs ?? 0} ms`));
  const timer = withinMs === undefined ? undefined : setTimeout(beLate, withinMs);
  signal.addEventListener('abort', giveUp, { once: true });
  const lift = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  };
  return { signal: over.signal, lift };
}

/** For work that goes on when nobody waits for it any more: cockatiel sleeps its pauses to the end. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    const settle = () => signal.removeEventListener('abort', giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    work.finally(settle).then(resolve, reject);
  });
}
