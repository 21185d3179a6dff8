/** Certificates that ssh-keygen made, read as `ssh-keygen -L` prints them; and what is wrong with others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { makeSecurityKey, FLAGS } from '../../../support/security-key.js';
import { named, string, uint32 } from '../../../support/ssh-bytes.js';
import { makePair } from '../ground.js';
import { problemOf, read } from './reading.js';

const VECTORS = join(import.meta.dirname, 'vectors');
const STANDARD = [
  'permit-X11-forwarding',
  'permit-agent-forwarding',
  'permit-port-forwarding',
  'permit-pty',
  'permit-user-rc',
];

function vector(name: string): Buffer {
  return Buffer.from(readFileSync(join(VECTORS, `${name}.pub`), 'utf8').split(' ')[1] ?? '', 'base64');
}

const FINGERPRINT = {
  ed25519: 'SHA256:S/cdXx/k4BjK8f6M+KAIY20JTACrK0P80JwH3K7Ymu0',
  ofEd25519Authority: 'SHA256:Mi+74WbJeQKT3SJhRsHgU9iEtas0fTh6AWguKM8wkVE',
  rsa: 'SHA256:fgi/ieitUY2FTzdyVFvcF3NdkzFMhEbSUtcthx+FUb8',
  ofRsaAuthority: 'SHA256:HNYOmYcZ6In9hygl52S6OXqCahdTT3fkN74A8zXKaLU',
  ofP256Authority: 'SHA256:Z4mHjpBBgOTsvjT2idrWiTypRS9GhJ6qYHEYjTw/TFA',
} as const;

const DEFAULTS = { type: 'user', serial: 0n, validAfter: 0, validBefore: Infinity, criticalOptions: [] } as const;
const YEAR_2026 = Date.UTC(2026, 0, 1);

const READ = [
  {
    file: 'ed25519-cert',
    key: { algorithm: 'ssh-ed25519', sha256: FINGERPRINT.ed25519 },
    algorithms: ['ssh-ed25519-cert-v01@openssh.com'],
    certificate: {
      algorithm: 'ssh-ed25519-cert-v01@openssh.com',
      type: 'user',
      serial: 18_446_744_073_709_551_615n,
      keyId: 'alice@laptop',
      principals: ['alice', 'admin'],
      validAfter: YEAR_2026,
      validBefore: Date.UTC(2036, 0, 1),
      criticalOptions: [
        { name: 'force-command', value: 'git-upload-pack app' },
        { name: 'source-address', value: '192.0.2.0/24,2001:db8::/32' },
        { name: 'verify-required' },
      ],
      extensions: ['login@example.com', ...STANDARD],
      signatureAlgorithm: 'ssh-ed25519',
    },
    authority: FINGERPRINT.ofEd25519Authority,
  },
  {
    file: 'ecdsa-256-cert',
    key: { algorithm: 'ecdsa-sha2-nistp256', sha256: 'SHA256:Nee+rvoz1SAk42M+j1yEKByzjyRDQXcb2mok5DMayUk' },
    algorithms: ['ecdsa-sha2-nistp256-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ecdsa-sha2-nistp256-cert-v01@openssh.com',
      serial: 7n,
      keyId: 'kéy of bob',
      principals: ['bob'],
      extensions: STANDARD,
      signatureAlgorithm: 'ecdsa-sha2-nistp256',
    },
    authority: FINGERPRINT.ofP256Authority,
  },
  {
    file: 'ecdsa-384-cert',
    key: { algorithm: 'ecdsa-sha2-nistp384', sha256: 'SHA256:hv+dDBV7N2d71VcERNzrMvnWOGE8L7RUHsRqMTpF8UY' },
    algorithms: ['ecdsa-sha2-nistp384-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ecdsa-sha2-nistp384-cert-v01@openssh.com',
      serial: 384n,
      keyId: 'three',
      principals: ['bob'],
      extensions: [],
      signatureAlgorithm: 'ecdsa-sha2-nistp384',
    },
    authority: 'SHA256:NcI5Xn7ctx0qnqQ/ZcPyGsl9/IeDR1suDE3aRNJ0ic4',
  },
  {
    file: 'ecdsa-521-cert',
    key: { algorithm: 'ecdsa-sha2-nistp521', sha256: 'SHA256:l2SmXvsKo0v8nMigfDHgfpxiorUeWGGC/tuuePAxYoY' },
    algorithms: ['ecdsa-sha2-nistp521-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ecdsa-sha2-nistp521-cert-v01@openssh.com',
      serial: 521n,
      keyId: 'five',
      principals: ['bob'],
      validAfter: YEAR_2026,
      criticalOptions: [{ name: 'nobody@knows', value: 'this' }],
      extensions: [],
      signatureAlgorithm: 'ecdsa-sha2-nistp521',
    },
    authority: 'SHA256:fAcLGLnKu2LigxG7cJ51Gn7JELyE+VnLDRQ0S7+PYbA',
  },
  ...(['rsa-sha2-512', 'rsa-sha2-256'] as const).map((signatureAlgorithm) => ({
    file: signatureAlgorithm === 'rsa-sha2-512' ? 'rsa-sha512-cert' : 'rsa-sha256-cert',
    key: { algorithm: 'ssh-rsa', sha256: FINGERPRINT.rsa },
    algorithms: ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-256-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ssh-rsa-cert-v01@openssh.com',
      keyId: signatureAlgorithm === 'rsa-sha2-512' ? '' : 'rsa',
      principals: ['bob'],
      extensions: STANDARD,
      signatureAlgorithm,
    },
    authority: FINGERPRINT.ofRsaAuthority,
  })),
  {
    file: 'sk-ed25519-cert',
    key: { algorithm: 'sk-ssh-ed25519@openssh.com', sha256: 'SHA256:rjB+YNNlhSjriOg0OqrK2kI4n4p2hNkSBgZ4VPQSF8Y' },
    algorithms: ['sk-ssh-ed25519-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'sk-ssh-ed25519-cert-v01@openssh.com',
      keyId: 'sk',
      principals: ['carol'],
      extensions: ['no-touch-required', ...STANDARD],
      signatureAlgorithm: 'ssh-ed25519',
    },
    authority: FINGERPRINT.ofEd25519Authority,
  },
  {
    file: 'sk-ecdsa-cert',
    key: {
      algorithm: 'sk-ecdsa-sha2-nistp256@openssh.com',
      sha256: 'SHA256:cn8xdXfnM9KtYy1sigL2JUhXBQqIQs7wxRpHjTJzvp8',
    },
    algorithms: ['sk-ecdsa-sha2-nistp256-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
      keyId: 'sk',
      principals: ['carol'],
      criticalOptions: [{ name: 'verify-required' }],
      extensions: STANDARD,
      signatureAlgorithm: 'ecdsa-sha2-nistp256',
    },
    authority: FINGERPRINT.ofP256Authority,
  },
  {
    file: 'host-cert',
    key: { algorithm: 'ssh-ed25519', sha256: FINGERPRINT.ed25519 },
    algorithms: ['ssh-ed25519-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ssh-ed25519-cert-v01@openssh.com',
      type: 'host',
      keyId: 'host',
      principals: ['host.example.com'],
      extensions: [],
      signatureAlgorithm: 'ssh-ed25519',
    },
    authority: FINGERPRINT.ofEd25519Authority,
  },
  {
    file: 'everybody-cert',
    key: { algorithm: 'ssh-ed25519', sha256: FINGERPRINT.ed25519 },
    algorithms: ['ssh-ed25519-cert-v01@openssh.com'],
    certificate: {
      ...DEFAULTS,
      algorithm: 'ssh-ed25519-cert-v01@openssh.com',
      keyId: 'everybody',
      principals: [],
      extensions: STANDARD,
      signatureAlgorithm: 'ssh-ed25519',
    },
    authority: FINGERPRINT.ofEd25519Authority,
  },
];

describe('a certificate of ssh-keygen', () => {
  test.each(READ)('$file is read as ssh-keygen -L prints it', ({ file, key, algorithms, certificate, authority }) => {
    const reading = read(vector(file));
    const { authority: signer, ...said } = reading.certificate ?? { authority: undefined };
    expect(said).toEqual(certificate);
    expect(signer?.sha256).toBe(authority);
    expect(reading.key).toMatchObject(key);
    expect(reading.algorithms).toEqual(algorithms);
    // Its key is the plain one, whole.
    expect(read(Buffer.from(reading.key.blob)).key).toEqual(reading.key);
  });

  // One for each type; what is beyond the type is read alike.
  test.each([
    'ed25519-cert',
    'ecdsa-256-cert',
    'ecdsa-384-cert',
    'ecdsa-521-cert',
    'rsa-sha512-cert',
    'sk-ed25519-cert',
    'sk-ecdsa-cert',
  ])('%s is refused with any byte of it changed, cut anywhere, and with a byte more', (file) => {
    const blob = vector(file);
    const taken: number[] = [];
    for (let at = 0; at < blob.length; at++) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      if (problemOf(changed) === undefined) taken.push(at);
      if (problemOf(blob.subarray(0, at)) === undefined) taken.push(at);
    }
    expect(taken).toEqual([]);
    expect(problemOf(Buffer.concat([blob, Buffer.alloc(1)]))).toBe('this certificate is damaged');
  });
});

test('one that an authority signed by SHA-1 is refused', () => {
  expect(problemOf(vector('rsa-sha1-cert'))).toBe("this certificate's signature is not one of its authority's");
});

/** A certificate of an Ed25519 key, by an authority that signs whatever it is given. */
interface Made {
  readonly principals?: Buffer;
  readonly keyId?: Buffer | string;
  readonly type?: number;
  readonly validAfter?: bigint;
  readonly validBefore?: bigint;
  readonly options?: Buffer;
  readonly extensions?: Buffer;
  readonly authority?: Buffer;
  readonly sign?: (body: Buffer) => Buffer;
}

const holder = makePair();
const authority = makePair();
const byAuthority = (body: Buffer) => Buffer.concat([string('ssh-ed25519'), string(authority.sign(body))]);

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function made(how: Made = {}): Buffer {
  const none = Buffer.alloc(0);
  const body = Buffer.concat([
    ...[string('ssh-ed25519-cert-v01@openssh.com'), string('nonce'), holder.blob.subarray(4 + 'ssh-ed25519'.length)],
    ...[uint64(1n), uint32(how.type ?? 1), string(how.keyId ?? 'id'), string(how.principals ?? string('alice'))],
    ...[uint64(how.validAfter ?? 0n), uint64(how.validBefore ?? 1n), string(how.options ?? none)],
    ...[string(how.extensions ?? none), string('reserved'), string(how.authority ?? authority.blob)],
  ]);
  return Buffer.concat([body, string((how.sign ?? byAuthority)(body))]);
}

function option(name: string, data: string | Buffer = ''): Buffer {
  return Buffer.concat([string(name), string(data)]);
}

test('the control: one that is made here is read', () => {
  expect(read(made()).certificate).toMatchObject({ keyId: 'id', principals: ['alice'], validBefore: 1000 });
});

describe('an authority', () => {
  test.each(['ed25519-sk', 'ecdsa-sk'] as const)('may be a security key that was touched (%s)', (type) => {
    const key = makeSecurityKey(type);
    const by = { authority: key.blob, sign: (body: Buffer) => key.sign(body) };
    expect(read(made(by)).certificate).toMatchObject({ signatureAlgorithm: key.algorithm });
    const untouched = { ...by, sign: (body: Buffer) => key.sign(body, { flags: FLAGS.NONE }) };
    expect(problemOf(made(untouched))).toBe("this certificate's signature is not one of its authority's");
  });

  test('that is a certificate itself is refused, whoever signed', () => {
    expect(problemOf(made({ authority: made() }))).toBe('this certificate is signed by another certificate');
  });

  test.each([
    ['another key', (body: Buffer) => Buffer.concat([string('ssh-ed25519'), string(holder.sign(body))])],
    [
      'a name that is not its key’s',
      (body: Buffer) => Buffer.concat([string('rsa-sha2-256'), string(authority.sign(body))]),
    ],
    [
      'a certificate’s name',
      (body: Buffer) => Buffer.concat([string('ssh-ed25519-cert-v01@openssh.com'), string(authority.sign(body))]),
    ],
    ['bytes behind it', (body: Buffer) => Buffer.concat([byAuthority(body), Buffer.alloc(1)])],
    ['its own bytes without the body’s first', (body: Buffer) => byAuthority(body.subarray(1))],
  ])('whose signature is by %s is refused', (_what, sign) => {
    expect(problemOf(made({ sign }))).toBe("this certificate's signature is not one of its authority's");
  });

  test('that calls a signature by SHA-256 one by SHA-1 is refused', () => {
    const rsa = makePair('rsa');
    const by = (name: string) => (body: Buffer) => named(name, rsa.sign(body, 'sha256'));
    expect(problemOf(made({ authority: rsa.blob, sign: by('rsa-sha2-256') }))).toBeUndefined();
    expect(problemOf(made({ authority: rsa.blob, sign: by('ssh-rsa') }))).toMatch(/is not one of its authority's$/);
  });

  test('with a key that is too weak is refused', () => {
    const weak = makePair('rsa', 1024);
    const sign = (body: Buffer) => Buffer.concat([string('rsa-sha2-256'), string(weak.sign(body, 'sha256'))]);
    expect(problemOf(made({ authority: weak.blob, sign }))).toMatch(/^RSA keys must have at least 2048 bits/);
  });
});

describe('what a certificate says', () => {
  test.each([
    ['two options of one name', { options: Buffer.concat([option('a'), option('a')]) }],
    ['options out of their order', { options: Buffer.concat([option('b'), option('a')]) }],
    ['extensions out of their order', { extensions: Buffer.concat([option('b'), option('B')]) }],
    ['an extension twice', { extensions: Buffer.concat([option('b'), option('b')]) }],
    ['an option without a name', { options: option('') }],
    ['an option without its data', { options: string('a') }],
    [
      'more options than anybody needs',
      { options: Buffer.concat(Array.from({ length: 65 }, (_, n) => option(`o${1000 + n}`))) },
    ],
    ['principals that are cut short', { principals: string('alice').subarray(0, -1) }],
    ['a principal with a NUL', { principals: string('alice\0mallory') }],
    ['a key id that is no text', { keyId: Buffer.from([0xff]) }],
    ['a key id with a NUL', { keyId: 'a\0b' }],
    ['a key id that is longer than any', { keyId: 'x'.repeat(1025) }],
  ])('is refused with %s', (_what, how) => {
    expect(problemOf(made(how))).toBe('this certificate is damaged');
  });

  test('may be about 256 principals and no more', () => {
    const principals = (count: number) => Buffer.concat(Array.from({ length: count }, (_, n) => string(`user${n}`)));
    expect(read(made({ principals: principals(256) })).certificate?.principals).toHaveLength(256);
    expect(problemOf(made({ principals: principals(257) }))).toBe('a certificate may name 256 principals');
  });

  test('has the value of an option only where that is one string', () => {
    const two = Buffer.concat([string('x'), string('y')]);
    const options = Buffer.concat([option('a', string('text')), option('b', 'raw'), option('c', two), option('d')]);
    expect(read(made({ options })).certificate?.criticalOptions).toEqual([
      { name: 'a', value: 'text' },
      { name: 'b' },
      { name: 'c' },
      { name: 'd' },
    ]);
  });

  test('is of a use that is neither a user’s nor a host’s, and said to be', () => {
    expect(read(made({ type: 0 })).certificate?.type).toBe('unknown');
    expect(read(made({ type: 3 })).certificate?.type).toBe('unknown');
  });

  test.each([
    [0n, 0],
    [1_767_225_600n, YEAR_2026],
    [9_007_199_254_740n, 9_007_199_254_740_000],
    [9_007_199_254_741n, Infinity],
    [0x7fff_ffff_ffff_ffffn, Infinity],
    [0xffff_ffff_ffff_ffffn, Infinity],
  ])('has the second %s as the millisecond %s', (seconds, milliseconds) => {
    const { certificate } = read(made({ validAfter: seconds, validBefore: seconds }));
    expect(certificate).toMatchObject({ validAfter: milliseconds, validBefore: milliseconds });
  });
});

describe('a proof by a certificate', () => {
  const data = Buffer.from('data');
  const signature = Buffer.concat([string('ssh-ed25519'), string(holder.sign(data))]);

  test('is a signature of its key by the name of the key’s own, asked for by the certificate’s', () => {
    const reading = read(made());
    const name = 'ssh-ed25519-cert-v01@openssh.com';
    expect(reading.verify(data, signature, name)).toEqual({ isProven: true, isUserVerified: false });
    expect(reading.verify(data, signature, 'ssh-ed25519')).toEqual({ isProven: false });
    const misnamed = Buffer.concat([string(name), string(holder.sign(data))]);
    expect(reading.verify(data, misnamed, name)).toEqual({ isProven: false });
    expect(read(holder.blob).verify(data, signature, name)).toEqual({ isProven: false });
  });
});
