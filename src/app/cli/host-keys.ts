import { loadHostKeys } from '../../adapters/ssh2/host-keys.js';
import type { Config } from '../config.js';
import { hostKeysAt } from '../host-keys-at.js';

interface ShownHostKey {
  readonly algorithm: string;
  readonly fingerprint: string;
  readonly publicKey: string;
}

/** @throws Error when there are none yet. */
export function shownHostKeys(config: Config): readonly ShownHostKey[] {
  const keys = loadHostKeys(...hostKeysAt(config));
  if (keys.length === 0) throw new Error('there are no host keys yet: the first start makes them (gitmouth serve)');
  return keys.map(({ algorithm, fingerprint, publicLine }) => ({ algorithm, fingerprint, publicKey: publicLine }));
}
