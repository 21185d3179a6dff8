import { utc } from '../../domain/words/lines.js';
import type { HeldLock } from '../../ports/repository-locks.js';
import type { Config } from '../config.js';
import { withState } from './with-state.js';

const LOOK_MS = 200;
/** For the holder's gitmouth to notice, and to give the lock back once its dyno has ended. */
const SLACK_MS = 3_000;

/** The locks that any gitmouth of this state holds, the oldest first. */
export function heldLocks(config: Config): Promise<readonly HeldLock[]> {
  return withState(config, async (state, clock) => {
    const held = await state.locks(clock).held(never());
    return [...held].sort((a, b) => a.holder.since - b.holder.since);
  });
}

/**
 * Ends the push that holds the app's lock, and waits until the lock is free.
 * @param asked told once that has been asked for.
 * @throws Error when nobody holds it, and when it is not free in time: the message says until when at the latest.
 */
export function releaseLock(config: Config, app: string, asked: (lock: HeldLock) => void): Promise<HeldLock> {
  return withState(config, async (state, clock) => {
    const locks = state.locks(clock);
    const freed = await locks.free(app, never());
    if (freed === undefined) throw new Error(`nobody holds the lock of '${app}'`);
    asked(freed);
    const { terminateGraceMs } = config.limits;
    const until = Math.max(freed.expiresAt, clock.now() + terminateGraceMs) + SLACK_MS;
    for (;;) {
      const held = (await locks.held(never())).find((lock) => lock.app === app && lock.token === freed.token);
      if (held === undefined) return freed;
      if (clock.now() > until) throw new Error(stillHeld(held));
      await clock.sleep(LOOK_MS);
    }
  });
}

function stillHeld({ app, holder, expiresAt }: HeldLock): string {
  return (
    `'${app}' is still held by ${holder.user} (session ${holder.session}), whose gitmouth lives and has been asked to end it; ` +
    `should it be gone by now, the lock is free at ${utc(expiresAt)} at the latest`
  );
}

function never(): AbortSignal {
  return new AbortController().signal;
}
