/** What the holder of a certificate reads, word for word; and that nothing in one gets to a terminal as it is. */
import { describe, expect, test } from '@jest/globals';
import type { CertificateProblem } from '../../src/domain/certificate-policy.js';
import type { Caller } from '../../src/domain/session.js';
import { verdictOf } from '../../src/domain/verdict.js';
import { certificateLines, proofClause } from '../../src/domain/words/certificate.js';
import { alice, HOSTILE_TEXT, UNSAFE } from './someone.js';

const AT = Date.UTC(2026, 10, 24, 5, 30);
const ANOTHER = 'Get a new certificate, or use a key that is registered here.';

/** One of each problem; the compiler sees that none is missing. */
const PROBLEMS: {
  readonly [Kind in CertificateProblem['kind']]: readonly [Extract<CertificateProblem, { kind: Kind }>, string, string];
} = {
  'untrusted-authority': [
    { kind: 'untrusted-authority' },
    'Your certificate is of an authority that does not count here.',
    ANOTHER,
  ],
  revoked: [
    { kind: 'revoked' },
    'Your certificate was revoked.',
    'Ask whoever issued it; another certificate or key may still do.',
  ],
  'weak-signature': [
    { kind: 'weak-signature' },
    'Your certificate is signed by RSA with SHA-1, which is broken.',
    'Have it signed anew: ssh-keygen of OpenSSH 8.2 or later signs by SHA-2.',
  ],
  'not-for-users': [
    { kind: 'not-for-users', type: 'host' },
    'Your certificate is for a host, and not for a user.',
    'Have it made without ssh-keygen -h.',
  ],
  'not-yet-valid': [
    { kind: 'not-yet-valid', from: AT },
    'Your certificate is not valid before 2026-11-24 05:30:00 UTC.',
    'Wait, or have the clocks of your authority and of this server compared.',
  ],
  expired: [{ kind: 'expired', since: AT }, 'Your certificate expired at 2026-11-24 05:30:00 UTC.', ANOTHER],
  'unknown-option': [
    { kind: 'unknown-option', option: 'foo@bar' },
    "Your certificate has the critical option 'foo@bar', which is unknown here.",
    'Have one made without it: what is critical and not understood refuses a certificate.',
  ],
  'bad-option': [
    { kind: 'bad-option', option: 'source-address' },
    "The critical option 'source-address' of your certificate can't be read, or is there twice.",
    'Have one made whose options are as ssh-keygen(1) defines them.',
  ],
  'wrong-address': [
    { kind: 'wrong-address', address: '192.0.2.7' },
    'Your certificate may not be used from your address, 192.0.2.7.',
    'Connect from where it may be used, or get one for this address.',
  ],
  'no-principals': [
    { kind: 'no-principals' },
    'Your certificate names no principal, and so nobody in particular.',
    'Have it made with one: ssh-keygen -n <user>.',
  ],
  'wrong-principal': [
    { kind: 'wrong-principal', login: 'git', expected: ['alice', 'bob'] },
    "Your certificate is for 'alice', 'bob', and you log in as 'git'.",
    'Log in as one it is for: ssh://<name>@…/<app>.git',
  ],
  'bad-name': [
    { kind: 'bad-name', name: 'Bob Smith', naming: 'key-id' },
    "'Bob Smith', the key id of your certificate, can't be a user here.",
    "Users have lower-case letters, digits, '.', '_' and '-' in their names: have it made for one of them.",
  ],
  'unknown-user': [
    { kind: 'unknown-user', user: 'bob' },
    "Your certificate is for the user 'bob', and there is none of that name here.",
    'Ask an operator to add them, or have it made for a user who is there.',
  ],
  'not-taken': [
    { kind: 'not-taken' },
    'The users of this server are not known by certificates.',
    'Use a key that is registered here.',
  ],
};

describe('a problem is told with what to do', () => {
  test.each(Object.values(PROBLEMS))('%j', (problem, what, advice) => {
    expect(certificateLines(problem)).toEqual([what, advice]);
  });

  test('of one that is neither for a user nor for a host', () => {
    expect(certificateLines({ kind: 'not-for-users', type: 'unknown' })[0]).toBe(
      'Your certificate is neither for a user nor for a host.',
    );
  });

  test('of the principal as the name', () => {
    const [what] = certificateLines({ kind: 'bad-name', name: '*', naming: 'principal' });
    expect(what).toBe("'*', the principal of your certificate, can't be a user here.");
  });

  test('of times that nobody can write', () => {
    for (const time of [Infinity, 2 ** 63, 1e16]) {
      expect(certificateLines({ kind: 'not-yet-valid', from: time })[0]).toContain('a day too far to tell');
      expect(certificateLines({ kind: 'expired', since: time })).toHaveLength(2);
    }
  });

  test('of a crowd of principals some are named', () => {
    const expected = Array.from({ length: 12 }, (_, index) => `user${index}`);
    const [what] = certificateLines({ kind: 'wrong-principal', login: 'git', expected });
    expect(what).toContain("'user9' and 2 more, and you");
    expect(what).not.toContain('user10');
  });
});

test('whatever stands in a certificate, no line of ours moves a cursor', () => {
  const hostile: CertificateProblem[] = [
    { kind: 'unknown-option', option: HOSTILE_TEXT },
    { kind: 'bad-option', option: HOSTILE_TEXT },
    { kind: 'wrong-address', address: HOSTILE_TEXT },
    { kind: 'wrong-principal', login: HOSTILE_TEXT, expected: [HOSTILE_TEXT, HOSTILE_TEXT] },
    { kind: 'bad-name', name: HOSTILE_TEXT, naming: 'principal' },
    { kind: 'unknown-user', user: HOSTILE_TEXT },
  ];
  for (const problem of hostile) {
    for (const line of certificateLines(problem)) expect(line).not.toMatch(UNSAFE);
  }
});

describe('who was recognised by a certificate', () => {
  const authority = { ...alice.key, sha256: `SHA256:${'B'.repeat(43)}` };
  const certified: Caller = {
    ...alice,
    certificate: {
      algorithm: 'ssh-ed25519-cert-v01@openssh.com',
      serial: 18_446_744_073_709_551_615n,
      type: 'user',
      keyId: 'alice@laptop',
      principals: ['alice'],
      validAfter: 0,
      validBefore: AT,
      criticalOptions: [],
      extensions: [],
      authority,
      signatureAlgorithm: 'ssh-ed25519',
    },
  };
  const clause =
    `the certificate 'alice@laptop' (serial 18446744073709551615, by ${authority.sha256}, ` +
    `valid until 2026-11-24 05:30:00 UTC) of the key ${alice.key.sha256}`;

  test('is greeted by it, and refused by it', () => {
    expect(verdictOf({ kind: 'greeted' }, certified, 's-1').words).toContain(
      `Hi alice! You have been recognised by ${clause}.\n`,
    );
    const refused = verdictOf({ kind: 'refused', refusal: { kind: 'lfs' } }, certified, 's-1');
    expect(refused.words).toContain(` !     You are alice, by ${clause}. Session s-1.\n`);
  });

  test('is told so in one safe line, whatever its key id is and however long it is valid', () => {
    const { certificate } = certified;
    if (certificate === undefined) throw new Error('no certificate');
    for (const validBefore of [Infinity, 1e17]) {
      const text = proofClause({ key: alice.key, certificate: { ...certificate, validBefore, keyId: HOSTILE_TEXT } });
      expect(text).toContain('valid for ever');
      expect(text).not.toMatch(UNSAFE);
    }
  });
});
