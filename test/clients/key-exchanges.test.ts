/** Which key exchange the OpenSSH of Debian 12 and that of Debian 13 agree on with the door, and each one at length. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ALGORITHMS } from '../../src/adapters/ssh2/algorithms.js';
import { execute } from '../support/door.js';
import { needs, NEWER_SSH, type ProgramName } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { git, succeeded } from './client.js';
import { openssh } from './clients.js';
import { makeKeys } from './keys.js';
import { Place } from './place.js';

const HYBRID = 'mlkem768x25519-sha256';
const MIB = 1024 ** 2;
const SIZE_MIB = process.env['GITMOUTH_SOAK'] === '1' ? 64 : 8;
/** What is under way on the wire when an exchange begins still comes by the old keys. */
const FEWEST_EXCHANGES = SIZE_MIB / 4;
/** Random, so that git makes it no smaller. */
const CONTENT = randomBytes(SIZE_MIB * MIB);
const APP = 'app';

/** What is on this machine as `ssh`, and the one that scripts/newer-openssh.sh gets. */
const COMMANDS = { ssh: 'ssh', 'newer-ssh': NEWER_SSH } as const satisfies Partial<Record<ProgramName, string>>;
type Ssh = keyof typeof COMMANDS;

const { describe: withSsh } = needs('git', 'ssh', 'ssh-keygen');
const { test } = needs('git', 'ssh', 'ssh-keygen');
const { test: withNewer } = needs('git', 'ssh', 'ssh-keygen', 'newer-ssh');

let place: Place;

withSsh('key exchanges', () => {
  beforeAll(async () => {
    place = await Place.open(await makeKeys(), 'compatible');
    const { alice } = place;
    const work = await alice.repository({ 'README.md': 'hello\n' });
    writeFileSync(join(work, 'content'), CONTENT);
    await alice.commit(work, {});
    succeeded(await run('ssh', [], 'push', work, 'main'));
  });

  afterAll(() => place.stop());

  async function known(ssh: Ssh): Promise<readonly string[]> {
    return (await execute(COMMANDS[ssh], ['-Q', 'kex'])).stdout.split('\n');
  }

  function run(ssh: Ssh, options: readonly string[], ...rest: readonly ['ls-remote' | 'clone' | 'push', ...string[]]) {
    const visit = place.visit('Ed25519', APP);
    const words = [COMMANDS[ssh], ...openssh(visit, '-v', ...options).slice(1)];
    return git(visit, { words, variant: 'ssh' }, ...rest);
  }

  /** By what `ssh -v` says, and by the door's log. */
  async function agreed(ssh: Ssh, ...options: readonly string[]) {
    const result = await run(ssh, options, 'ls-remote');
    succeeded(result);
    const [said] = agreements(result.stderr);
    return { said, logged: place.door.events('login-succeeded').at(-1)?.['keyExchange'] };
  }

  test('an OpenSSH that knows no ML-KEM, as 9.2, agrees on curve25519-sha256', async () => {
    const algorithm = (await known('ssh')).includes(HYBRID) ? HYBRID : 'curve25519-sha256';
    expect(await agreed('ssh')).toEqual({ said: algorithm, logged: algorithm });
  });

  withNewer('OpenSSH 10 agrees on mlkem768x25519-sha256 by itself', async () => {
    expect(await known('newer-ssh')).toContain(HYBRID);
    expect(await agreed('newer-ssh')).toEqual({ said: HYBRID, logged: HYBRID });
  });

  withNewer('OpenSSH 10 agrees on what it is told to, where that is on offer', async () => {
    const elder = { said: 'curve25519-sha256', logged: 'curve25519-sha256' };
    const wanted = 'KexAlgorithms=sntrup761x25519-sha512@openssh.com,curve25519-sha256';
    expect(await agreed('newer-ssh', '-o', wanted)).toEqual(elder);
    expect(await agreed('newer-ssh', '-o', `KexAlgorithms=curve25519-sha256,${HYBRID}`)).toEqual(elder);
  });

  // By its other name curve25519-sha256 is the same (RFC 8731 1).
  const names = ALGORITHMS.compatible.kex.filter((name) => name !== 'curve25519-sha256@libssh.org');
  describe.each(names.map((name) => [name] as const))('%s', (name) => {
    const tried = name === HYBRID ? withNewer : test;
    tried(`stays whole with new keys every megabyte, in a clone of ${SIZE_MIB} MiB`, async () => {
      const folder = join(temporaryFolder('clone'), 'it');
      mkdirSync(folder);
      const options = ['-o', `KexAlgorithms=${name}`, '-o', 'RekeyLimit=1M'];
      const result = await run(name === HYBRID ? 'newer-ssh' : 'ssh', options, 'clone', folder);
      succeeded(result);
      expect(readFileSync(join(folder, 'content')).equals(CONTENT)).toBe(true);
      const made = agreements(result.stderr);
      expect(made.length).toBeGreaterThan(FEWEST_EXCHANGES);
      expect(new Set(made)).toEqual(new Set([name]));
      expect(result.stderr.split('SSH2_MSG_NEWKEYS received').length - 1).toBe(made.length);
    });
  });
});

/** The key exchanges that `ssh -v` tells of, one after the other. */
function agreements(stderr: string): readonly string[] {
  return [...stderr.matchAll(/kex: algorithm: (\S+)/g)].map(([, name = '']) => name);
}
