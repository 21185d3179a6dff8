import { isWrite, type GitService } from './git-request.js';

/** What a writer does when another one holds the app: wait its turn, or be refused at once. */
export type LockMode = 'wait' | 'refuse';

/** Who holds the lock of an app. Shown to those who wait. */
export interface LockHolder {
  readonly user: string;
  /** Session id of the holder. */
  readonly session: string;
  /** When the lock was taken, in milliseconds since the epoch. */
  readonly since: number;
}

/** Writers only: readers never wait. */
export function needsLock(service: GitService): boolean {
  return isWrite(service);
}
