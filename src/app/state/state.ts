import type { Clock } from '../../ports/clock.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';

/** What the gitmouths that share it agree on, opened: an adapter for each port that it stands behind. */
export interface State {
  locks(clock: Clock): RepositoryLocks;
  /** Idempotent. */
  close(): void;
}
