import { Fault, isFault, type Stage } from '../../domain/fault.js';
import { codeOf } from './error-code.js';

/** Asks the database on behalf of a session: whatever it throws is an outage, never a denial. */
export function asking<T>(stage: Stage, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (isFault(error)) throw error;
    throw new Fault('GM_UNAVAILABLE', stage, 'The database did not answer.', { cause: error });
  }
}

export function isDatabaseError(error: unknown): boolean {
  return codeOf(error)?.startsWith('SQLITE_') === true;
}
