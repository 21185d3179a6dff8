import { addNextHostKey, retireHostKey } from '../../adapters/ssh2/host-keys/rotation.js';
import { loadHostKeys, type HostKeysAt, type HostKeyType } from '../../adapters/ssh2/host-keys/files.js';
import type { Config } from '../config.js';
import { hostKeysAt } from '../host-keys-at.js';
import { hostKeysNow, shownHostKey, type ShownHostKey } from '../platforms/host-keys.js';

const HANG_UP = 'Now send SIGHUP to gitmouth (systemctl reload gitmouth, or kill -HUP)';

/** @throws Error when there are none yet. */
export async function shownHostKeys(config: Config): Promise<readonly ShownHostKey[]> {
  const keys = await hostKeysNow(config);
  if (keys.length === 0) throw new Error('there are no host keys yet: the first start makes them (gitmouth serve)');
  return keys.map(shownHostKey);
}

/**
 * Adds a next key, and says what comes then.
 * @param file a private key of the operator's; undefined to have one made.
 * @throws Error that says what to do; nothing has changed then.
 */
export function addedHostKey(config: Config, file?: string, type?: HostKeyType): readonly string[] {
  const at = inFiles(config);
  const ofType = type === undefined ? {} : { type };
  const added = addNextHostKey(at, file === undefined ? { type: type ?? 'ed25519' } : { file, ...ofType });
  const current = loadHostKeys(...at).find(
    ({ algorithm, state }) => algorithm === added.algorithm && state === 'current',
  );
  return [
    `Added the next key ${added.algorithm} ${added.fingerprint}`,
    `  ${added.path}`,
    `${HANG_UP}: from then on clients that log in learn it.`,
    'When they have had the time for it (docs/host-keys.md), retire the current one:',
    `  gitmouth hostkey retire ${current?.fingerprint ?? ''}`,
  ];
}

/** Takes a key out, and says what comes then. @throws Error that says what to do; nothing has changed then. */
export function retiredHostKey(config: Config, fingerprint: string): readonly string[] {
  const { retired, keptAs, successor } = retireHostKey(inFiles(config), fingerprint, Date.now());
  return [
    `Retired ${retired.algorithm} ${retired.fingerprint}, which nothing reads any more where it is kept:`,
    `  ${keptAs}`,
    ...(successor === undefined
      ? [`${HANG_UP}: from then on clients are not told of it.`]
      : [
          `${successor.fingerprint} takes its place.`,
          `${HANG_UP}: new connections are served by it, and clients that knew both forget the old one.`,
        ]),
  ];
}

function inFiles(config: Config): HostKeysAt {
  const { platform } = config;
  if (platform.kind === 'http' && platform.hostKeysFrom === 'platform') {
    throw new Error(
      "the host keys are the platform's (GITMOUTH_HOST_KEYS_FROM=platform): add and retire them there, then send SIGHUP",
    );
  }
  return hostKeysAt(config);
}
