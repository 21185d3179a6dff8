/**
 * Every cipher, MAC, key exchange and host key on offer, by OpenSSH, one at a time: what is offered must work.
 * The hybrid key exchange, which not every OpenSSH knows, is tried in key-exchanges.test.ts.
 */
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ALGORITHMS } from '../../src/adapters/ssh2/algorithms.js';
import { HYBRID_NAME } from '../../src/adapters/ssh2/post-quantum/hybrid.js';
import type { AlgorithmSet } from '../../src/domain/algorithm-set.js';
import type { Result } from '../support/door.js';
import { needs } from '../support/programs.js';
import { git, type Visit } from './client.js';
import { openssh } from './clients.js';
import { makeKeys } from './keys.js';
import { Place } from './place.js';

const SETS: readonly AlgorithmSet[] = ['modern', 'compatible'];

/** Our lists, the option that names one of them alone, and what `ssh -v` says of the one agreed on. */
const LISTS = [
  ['cipher', 'Ciphers', (name: string) => `cipher: ${name} `],
  ['hmac', 'MACs', (name: string) => `MAC: ${name} `],
  ['kex', 'KexAlgorithms', (name: string) => `kex: algorithm: ${name}\r\n`],
  ['serverHostKey', 'HostKeyAlgorithms', (name: string) => `kex: host key algorithm: ${name}\r\n`],
] as const;

const { describe: withSsh } = needs('git', 'ssh', 'ssh-keygen');

withSsh.each(SETS)('offered as %s', (algorithms) => {
  const { test } = needs('git', 'ssh', 'ssh-keygen');
  const cases = LISTS.flatMap(([list, option, said]) => {
    const names = ALGORITHMS[algorithms][list];
    if (!Array.isArray(names)) throw new Error(`${list} is no list`);
    const tried = names.filter((name: string) => name !== HYBRID_NAME);
    return tried.map((name: string) => [option, name, said(name)] as const);
  });
  let place: Place;
  let visit: Visit;
  let tip: string;

  beforeAll(async () => {
    place = await Place.open(await makeKeys(), algorithms);
    const { alice } = place;
    visit = place.visit('Ed25519', 'app');
    const work = await alice.repository();
    tip = await alice.must(work, 'rev-parse', 'HEAD');
    expect(await git(visit, command(), 'push', work, 'main')).toMatchObject({ code: 0 });
  });

  afterAll(() => place.stop());

  function command(...options: readonly string[]) {
    return { words: openssh(visit, ...options), variant: 'ssh' } as const;
  }

  function list(...options: readonly string[]): Promise<Result> {
    return git(visit, command('-v', ...options), 'ls-remote');
  }

  test.each(cases)('%s=%s works', async (option, name, said) => {
    // With GCM and ChaCha20 there is no MAC to agree on.
    const cipher = option === 'MACs' ? ['-o', 'Ciphers=aes256-ctr'] : [];
    const { code, stdout, stderr } = await list('-o', `${option}=${name}`, ...cipher);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`${tip}\trefs/heads/main\n`) });
    expect(stderr).toContain(said);
  });

  test('compression is declined, and the client goes on without', async () => {
    const { code, stdout, stderr } = await list('-C');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`${tip}\trefs/heads/main\n`) });
    expect(stderr).toContain('compression: none');
  });
});

describe('SHA-1', () => {
  const { test } = needs('git', 'ssh', 'ssh-keygen');
  let place: Place;

  beforeAll(async () => {
    place = await Place.open(await makeKeys(), 'compatible');
  });

  afterAll(() => place.stop());

  test.each([
    ['PubkeyAcceptedAlgorithms=ssh-rsa', 'Permission denied (publickey)'],
    ['HostKeyAlgorithms=ssh-rsa', 'no matching host key type found'],
    ['KexAlgorithms=diffie-hellman-group14-sha1', 'no matching key exchange method found'],
    ['MACs=hmac-sha1', 'no matching MAC found'],
  ])('is taken from nobody, also where the client insists (%s) and the server is compatible', async (option, words) => {
    const visit = place.visit('RSA', 'app');
    const options = ['-o', option, '-o', 'Ciphers=aes256-ctr'];
    const { code, stderr } = await git(visit, { words: openssh(visit, ...options), variant: 'ssh' }, 'ls-remote');
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining(words) });
  });
});
