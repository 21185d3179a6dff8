import type { Clock } from '../../ports/clock.js';
import type { Penalties } from '../../ports/penalties.js';
import type { RateLimiter } from '../../ports/rate-limiter.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';
import type { SessionRegistry } from '../../ports/session-registry.js';
import type { Config } from '../config.js';

/** What the gitmouths that share it agree on, opened: an adapter for each port that it stands behind. */
export interface State {
  locks(clock: Clock): RepositoryLocks;
  penalties(clock: Clock): Penalties;
  rateLimiter(): RateLimiter;
  sessions(clock: Clock): SessionRegistry;
  /** Tells each time that it went out of reach, and at once where it is; what could not be asked then is no concern here. */
  onTrouble(tell: (message: string, error: Error) => void): void;
  /** Idempotent. */
  close(): void;
}

/** The one of the configuration; the others stay unloaded. One that is away for now is opened all the same. */
export async function openState(config: Config): Promise<State> {
  switch (config.state.kind) {
    case 'local':
      return (await import('./local.js')).localState(config);
    case 'redis':
      return (await import('./redis.js')).redisState(config, config.state.url);
  }
}
