/** Whom a certificate makes its holder, and everything that keeps it from it. */
import { describe, expect, test } from '@jest/globals';
import {
  forcedCommandOf,
  judgeCertificate,
  trustProblem,
  type Certified,
  type CertificateNaming,
  type CertificateProblem,
  type CertificateTrust,
  type Showing,
} from '../../src/domain/certificate-policy.js';
import type { Certificate } from '../../src/domain/certificate.js';
import { proofId } from '../../src/domain/proof.js';
import type { PublicKey } from '../../src/domain/public-key.js';
import { NOTHING_REVOKED, type Revocations } from '../../src/domain/revocations.js';

function keyCalled(name: string): PublicKey {
  return { algorithm: 'ssh-ed25519', blob: new Uint8Array(), sha256: `SHA256:${name}`, md5: name };
}

const key = keyCalled('of alice');
const authority = keyCalled('of the authority');
const NOW = Date.UTC(2026, 10, 24);

const SOUND: Certificate = {
  algorithm: 'ssh-ed25519-cert-v01@openssh.com',
  serial: 7n,
  type: 'user',
  keyId: 'alice@laptop',
  principals: ['alice'],
  validAfter: NOW,
  validBefore: NOW + 1,
  criticalOptions: [],
  extensions: ['permit-pty'],
  authority,
  signatureAlgorithm: 'ssh-ed25519',
};

interface Circumstances {
  readonly certificate?: Partial<Certificate>;
  readonly showing?: Partial<Showing>;
  readonly naming?: CertificateNaming;
  readonly revocations?: Partial<Revocations>;
}

function trusting({ naming = 'principal', revocations }: Circumstances): CertificateTrust {
  return { authorities: new Set([authority.sha256]), naming, revocations: { ...NOTHING_REVOKED, ...revocations } };
}

function judged(circumstances: Circumstances): Certified | CertificateProblem {
  const { certificate, showing } = circumstances;
  return judgeCertificate(
    { key, certificate: { ...SOUND, ...certificate } },
    { now: NOW, address: '192.0.2.7', login: 'git', ...showing },
    trusting(circumstances),
  );
}

const option = (name: string, value?: string) => ({
  criticalOptions: [value === undefined ? { name } : { name, value }],
});

test('one that is in force makes its principal its holder, whatever the login name is', () => {
  expect(judged({})).toEqual({ user: 'alice', needsVerification: false });
});

test.each<[string, Circumstances, CertificateProblem]>([
  [
    'an authority that is not trusted',
    { certificate: { authority: keyCalled('else') } },
    { kind: 'untrusted-authority' },
  ],
  ['a host', { certificate: { type: 'host' } }, { kind: 'not-for-users', type: 'host' }],
  ['something unknown', { certificate: { type: 'unknown' } }, { kind: 'not-for-users', type: 'unknown' }],
  ['SHA-1', { certificate: { signatureAlgorithm: 'ssh-rsa' } }, { kind: 'weak-signature' }],
  ['a time to come', { showing: { now: NOW - 1 } }, { kind: 'not-yet-valid', from: NOW }],
  ['a time that has come to its end', { showing: { now: NOW + 1 } }, { kind: 'expired', since: NOW + 1 }],
  ['no principal', { certificate: { principals: [] } }, { kind: 'no-principals' }],
  ['an unknown option', { certificate: option('foo@bar', '1') }, { kind: 'unknown-option', option: 'foo@bar' }],
  [
    'an option without its networks',
    { certificate: option('source-address') },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'an option with no network',
    { certificate: option('source-address', 'home') },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'an option with an empty list',
    { certificate: option('source-address', '') },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'an option with a network that has host bits',
    { certificate: option('source-address', '192.0.2.7/24') },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'an option with one bad network',
    { certificate: option('source-address', '192.0.2.7,x') },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'a command that is none',
    { certificate: option('force-command', '') },
    { kind: 'bad-option', option: 'force-command' },
  ],
  [
    'a command that is not there',
    { certificate: option('force-command') },
    { kind: 'bad-option', option: 'force-command' },
  ],
  [
    'a verification with a value',
    { certificate: option('verify-required', 'no') },
    { kind: 'bad-option', option: 'verify-required' },
  ],
  [
    'an option twice',
    {
      certificate: {
        criticalOptions: [
          { name: 'source-address', value: '192.0.2.7' },
          { name: 'source-address', value: '0.0.0.0/0' },
        ],
      },
    },
    { kind: 'bad-option', option: 'source-address' },
  ],
  [
    'other addresses',
    { certificate: option('source-address', '192.0.2.8,2001:db8::/32') },
    { kind: 'wrong-address', address: '192.0.2.7' },
  ],
])('one of %s makes nobody its holder', (_, circumstances, problem) => {
  expect(judged(circumstances)).toEqual(problem);
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['10.0.0.0/8,192.0.2.0/24', '192.0.2.7'],
  ['10.0.0.0/8,192.0.2.0/24', '::ffff:10.1.2.3'],
  ['2001:db8::/32', '2001:db8::5'],
])('one for %s may be shown from %s', (networks, address) => {
  expect(judged({ certificate: option('source-address', networks), showing: { address } })).toMatchObject({
    user: 'alice',
  });
});

test('one that requires verification says so of its holder', () => {
  expect(judged({ certificate: option('verify-required') })).toEqual({ user: 'alice', needsVerification: true });
  expect(judged({ certificate: option('verify-required', '') })).toEqual({ user: 'alice', needsVerification: true });
});

test('one for ever stays in force', () => {
  const certificate = { validAfter: 0, validBefore: Infinity };
  expect(judged({ certificate, showing: { now: Number.MAX_SAFE_INTEGER } })).toMatchObject({ user: 'alice' });
  expect(judged({ certificate: { validAfter: Infinity, validBefore: Infinity } })).toMatchObject({
    kind: 'not-yet-valid',
  });
});

describe('whom it names', () => {
  const several = { principals: ['alice', 'deploy', 'Not-A-User'] };

  test.each<[string, Circumstances, string]>([
    [
      'of several principals, the one that is the login name',
      { certificate: several, showing: { login: 'deploy' } },
      'deploy',
    ],
    [
      'the key id, where a principal is the login name',
      { naming: 'key-id', certificate: { keyId: 'bob', principals: ['git'] } },
      'bob',
    ],
    [
      'the key id, where it is a principal too',
      { naming: 'key-id', certificate: { keyId: 'bob', principals: ['x', 'bob'] } },
      'bob',
    ],
  ])('%s', (_, circumstances, user) => {
    expect(judged(circumstances)).toMatchObject({ user });
  });

  test.each<[string, Circumstances, CertificateProblem]>([
    [
      'none of several principals is the login name',
      { certificate: several },
      { kind: 'wrong-principal', login: 'git', expected: several.principals },
    ],
    [
      'the one that is the login name is no name of a user',
      { certificate: several, showing: { login: 'Not-A-User' } },
      { kind: 'bad-name', name: 'Not-A-User', naming: 'principal' },
    ],
    [
      'the only principal is no name of a user',
      { certificate: { principals: ['*'] } },
      { kind: 'bad-name', name: '*', naming: 'principal' },
    ],
    [
      'neither login name nor key id is a principal',
      { naming: 'key-id', certificate: { keyId: 'bob', principals: ['alice'] } },
      { kind: 'wrong-principal', login: 'git', expected: ['alice'] },
    ],
    [
      'the key id is no name of a user',
      { naming: 'key-id', certificate: { keyId: 'Bob Smith', principals: ['git'] } },
      { kind: 'bad-name', name: 'Bob Smith', naming: 'key-id' },
    ],
    [
      'the key id has no principal with it',
      { naming: 'key-id', certificate: { keyId: 'bob', principals: [] } },
      { kind: 'no-principals' },
    ],
  ])('nobody, where %s', (_, circumstances, problem) => {
    expect(judged(circumstances)).toEqual(problem);
  });
});

describe('what was revoked', () => {
  const other = 'SHA256:other';
  const ofThis = authority.sha256;

  test.each<[string, Partial<Revocations>]>([
    ['its serial', { serials: [{ first: 7n, last: 7n }] }],
    [
      'serials about its own',
      {
        serials: [
          { first: 1n, last: 2n },
          { authority: ofThis, first: 6n, last: 7n },
        ],
      },
    ],
    ['serials from its own on', { serials: [{ first: 7n, last: 2n ** 64n - 1n }] }],
    ['its key id', { keyIds: [{ keyId: 'alice@laptop' }] }],
    ['its key id under its authority', { keyIds: [{ authority: ofThis, keyId: 'alice@laptop' }] }],
    ['its key', { keys: new Set([key.sha256]) }],
    ['its authority', { keys: new Set([ofThis]) }],
  ])('%s: it makes nobody its holder, and what runs by it is taken back', (_, revocations) => {
    expect(judged({ revocations })).toEqual({ kind: 'revoked' });
    expect(trustProblem({ key, certificate: SOUND }, trusting({ revocations }))).toEqual({ kind: 'revoked' });
  });

  test.each<[string, Partial<Revocations>]>([
    [
      'serials beside its own',
      {
        serials: [
          { first: 1n, last: 6n },
          { first: 8n, last: 9n },
        ],
      },
    ],
    ['its serial under another authority', { serials: [{ authority: other, first: 7n, last: 7n }] }],
    ['a key id that begins like its own', { keyIds: [{ keyId: 'alice' }] }],
    ['its key id under another authority', { keyIds: [{ authority: other, keyId: 'alice@laptop' }] }],
    ['another key', { keys: new Set([other]) }],
  ])('%s: it stays in force', (_, revocations) => {
    expect(judged({ revocations })).toMatchObject({ user: 'alice' });
  });
});

test('what has only run out was not taken back', () => {
  expect(judged({ showing: { now: NOW + 1 } })).toMatchObject({ kind: 'expired' });
  expect(trustProblem({ key, certificate: { ...SOUND, validBefore: 0 } }, trusting({}))).toBeUndefined();
  expect(trustProblem({ key, certificate: { ...SOUND, type: 'host' } }, trusting({}))).toBeDefined();
});

test('the command that it forces is the text of the option', () => {
  expect(forcedCommandOf({ ...SOUND, ...option('force-command', "git-upload-pack 'shop'") })).toBe(
    "git-upload-pack 'shop'",
  );
  expect(forcedCommandOf(SOUND)).toBeUndefined();
  expect(forcedCommandOf(undefined)).toBeUndefined();
});

test('a key and its certificates are told from each other', () => {
  const changes: Partial<Certificate>[] = [
    ...[{}, { serial: 8n }, { keyId: 'x' }, { authority: key }, { principals: ['bob'] }, { validBefore: Infinity }],
    ...[{ validAfter: 1 }, option('verify-required'), { principals: ['alice', 'bob'] }],
  ];
  const ids = changes.map((change) => proofId({ key, certificate: { ...SOUND, ...change } }));
  expect(new Set([...ids, proofId({ key }), proofId({ key: authority, certificate: SOUND })]).size).toBe(
    ids.length + 2,
  );
  expect(proofId({ key, certificate: { ...SOUND } })).toBe(ids[0]);
});
