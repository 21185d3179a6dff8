import { readUserKey, type UserKey } from '../../../../src/adapters/ssh2/user-keys/user-key.js';

/** Of what has to be readable. */
export function read(blob: Buffer): UserKey {
  const reading = readUserKey(blob);
  if ('problem' in reading) throw new Error(reading.problem);
  return reading;
}

/** What is wrong with it; undefined where nothing is. */
export function problemOf(blob: Buffer): string | undefined {
  const reading = readUserKey(blob);
  return 'problem' in reading ? reading.problem : undefined;
}
