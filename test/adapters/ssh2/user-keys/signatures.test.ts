/** Which signatures prove a key: plain ones and those of security keys, whole, changed, and under another's name. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readUserKey } from '../../../../src/adapters/ssh2/user-keys/user-key.js';
import { KEY_ALGORITHMS } from '../../../../src/domain/public-key.js';
import { execute } from '../../../support/door.js';
import { needs } from '../../../support/programs.js';
import { FLAGS, makeSecurityKey, mpint, SECURITY_KEY_TYPES } from '../../../support/security-key.js';
import { named, string, uint32 } from '../../../support/ssh-bytes.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { makePair } from '../ground.js';
import { makeBrokenEcdsaKey } from '../odd-keys.js';
import { problemOf, read } from './reading.js';

const data = Buffer.from('what is signed');
const UNPROVEN = { isProven: false };
const PROVEN = { isProven: true, isUserVerified: false };
const SK_ED25519 = 'sk-ssh-ed25519@openssh.com';
const SK_ECDSA = 'sk-ecdsa-sha2-nistp256@openssh.com';

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
  return changed;
}

/** A plain ECDSA key over any of the curves. */
function ecdsa(bits: 256 | 384 | 521) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: `P-${bits}` });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const algorithm = `ecdsa-sha2-nistp${bits}`;
  const hash = { 256: 'sha256', 384: 'sha384', 521: 'sha512' }[bits];
  const halves = (of: Buffer) => {
    const joined = sign(hash, of, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return [joined.subarray(0, joined.length / 2), joined.subarray(joined.length / 2)] as const;
  };
  return {
    algorithm,
    point,
    blob: Buffer.concat([string(algorithm), string(`nistp${bits}`), string(point)]),
    halves,
    sign: (of: Buffer) => Buffer.concat(halves(of).map(mpint)),
  };
}

describe.each(SECURITY_KEY_TYPES)('a security key (%s)', (type) => {
  const key = makeSecurityKey(type);
  const reading = read(key.blob);
  const verdict = (signature: Buffer, name = key.algorithm) => reading.verify(data, signature, name);

  test.each([
    ['was touched', { flags: FLAGS.PRESENT }, PROVEN],
    ['was touched and knows its user', { flags: FLAGS.PRESENT_AND_VERIFIED }, { isProven: true, isUserVerified: true }],
    ['was touched, the counter at its end', { counter: 0xffff_ffff }, PROVEN],
    ['was not touched', { flags: FLAGS.NONE }, UNPROVEN],
    ['knows its user and was not touched', { flags: FLAGS.VERIFIED }, UNPROVEN],
    ['was asked for something else', { application: 'ssh:else' }, UNPROVEN],
    ['was asked for nothing', { application: '' }, UNPROVEN],
  ])('that %s proves as much', (_what, assertion, expected) => {
    expect(verdict(key.sign(data, assertion))).toEqual(expected);
  });

  test('proves nothing with any byte of the signature changed, cut anywhere, or with a byte more', () => {
    const signature = key.sign(data);
    const taken: number[] = [];
    for (let at = 0; at < signature.length; at++) {
      if (verdict(flipped(signature, at)).isProven) taken.push(at);
      if (verdict(signature.subarray(0, at)).isProven) taken.push(at);
    }
    expect(taken).toEqual([]);
    expect(verdict(Buffer.concat([signature, Buffer.alloc(1)]))).toEqual(UNPROVEN);
    expect(verdict(signature)).toEqual(PROVEN);
  });

  test('proves nothing by flags or a counter that were put in place of those that were signed', () => {
    const signature = key.sign(data, { counter: 7 });
    const said = (flags: number, counter: number) =>
      Buffer.concat([signature.subarray(0, -5), Buffer.from([flags]), uint32(counter)]);
    expect(verdict(said(FLAGS.PRESENT, 7))).toEqual(PROVEN);
    expect(verdict(said(FLAGS.PRESENT_AND_VERIFIED, 7))).toEqual(UNPROVEN);
    expect(verdict(said(FLAGS.PRESENT, 8))).toEqual(UNPROVEN);
  });

  test('with any byte of it changed is no key, or is not the one that signed', () => {
    const signature = key.sign(data);
    for (let at = 0; at < key.blob.length; at++) {
      const changed = readUserKey(flipped(key.blob, at));
      const isProven = 'problem' in changed ? false : changed.verify(data, signature, key.algorithm).isProven;
      expect({ at, isProven }).toEqual({ at, isProven: false });
    }
  });

  test('made for another application is another key, and proves itself by that one alone', () => {
    const other = makeSecurityKey(type, 'ssh:gitmouth');
    expect(read(other.blob).verify(data, other.sign(data), key.algorithm)).toEqual(PROVEN);
    expect(read(other.blob).verify(data, other.sign(data, { application: 'ssh:' }), key.algorithm)).toEqual(UNPROVEN);
  });

  const { test: withKeygen } = needs('ssh-keygen');
  withKeygen('in software signs what ssh-keygen verifies too', async () => {
    // The signatures of this file are by the same code that the tests read them with; this is somebody else's reader.
    const folder = temporaryFolder('sshsig');
    writeFileSync(join(folder, 'data'), data);
    const message = createHash('sha512').update(data).digest();
    const fields = [string('test'), string(''), string('sha512')];
    const signature = key.sign(Buffer.concat([Buffer.from('SSHSIG'), ...fields, string(message)]));
    const envelope = [Buffer.from('SSHSIG'), uint32(1), string(key.blob), ...fields, string(signature)];
    const armoured = `-----BEGIN SSH SIGNATURE-----\n${Buffer.concat(envelope).toString('base64')}\n-----END SSH SIGNATURE-----\n`;
    writeFileSync(join(folder, 'signature'), armoured);
    const check = ['-Y', 'check-novalidate', '-n', 'test', '-s', join(folder, 'signature')];
    const checked = await execute('sh', ['-c', `ssh-keygen "$@" < ${join(folder, 'data')}`, 'sh', ...check]);
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining(`with ${sha256Of(key.blob)}`) });
  });
});

function sha256Of(blob: Buffer): string {
  const { key } = read(blob);
  return `${key.algorithm.includes('ed25519') ? 'ED25519-SK' : 'ECDSA-SK'} key ${key.sha256}`;
}

describe('a key under the name of another kind', () => {
  const plain = makePair();
  const p256 = ecdsa(256);
  const sk = makeSecurityKey('ed25519-sk');
  const skEcdsa = makeSecurityKey('ecdsa-sk');

  test.each([
    // Attack: a plain key says that it lives in hardware and was touched, by its name alone.
    ['a plain key, signing plainly', plain.blob, named(SK_ED25519, plain.sign(data)), SK_ED25519],
    ['a plain key, asked for as a security key', plain.blob, named('ssh-ed25519', plain.sign(data)), SK_ED25519],
    ['a plain ECDSA key, signing plainly', p256.blob, named(SK_ECDSA, p256.sign(data)), SK_ECDSA],
    ['a security key, asked for as a plain one', sk.blob, sk.sign(data), 'ssh-ed25519'],
    ['a security key, signing as the other kind', sk.blob, skEcdsa.sign(data), SK_ED25519],
    ['an ECDSA security key, asked for as a plain one', skEcdsa.blob, skEcdsa.sign(data), p256.algorithm],
    [
      'an ECDSA key, signing by another curve’s name',
      p256.blob,
      named('ecdsa-sha2-nistp384', p256.sign(data)),
      p256.algorithm,
    ],
  ])('%s proves nothing', (_what, blob, signature, name) => {
    expect(read(blob).verify(data, signature, name)).toEqual(UNPROVEN);
  });

  test('a security key’s signature without what the key says proves nothing, to either kind', () => {
    const signature = sk.sign(data).subarray(0, -5);
    expect(read(sk.blob).verify(data, signature, SK_ED25519)).toEqual(UNPROVEN);
  });

  test.each([
    ['a plain key’s body', Buffer.concat([string(SK_ED25519), plain.blob.subarray(4 + 'ssh-ed25519'.length)])],
    ['a security key’s body', Buffer.concat([string('ssh-ed25519'), sk.blob.subarray(4 + SK_ED25519.length)])],
    ['a plain ECDSA key’s body', Buffer.concat([string(SK_ECDSA), p256.blob.subarray(4 + p256.algorithm.length)])],
    ['another curve', Buffer.concat([string(SK_ECDSA), string('nistp384'), string(p256.point), string('ssh:')])],
    ['bytes behind it', Buffer.concat([sk.blob, Buffer.alloc(1)])],
    ['bytes behind it', Buffer.concat([skEcdsa.blob, Buffer.alloc(1)])],
  ])('a blob of that type with %s is damaged', (_what, blob) => {
    expect(problemOf(blob)).toBe('this public key is damaged');
  });
});

describe.each([256, 384, 521] as const)('an ECDSA key over P-%s', (bits) => {
  const key = ecdsa(bits);
  const reading = read(key.blob);

  test('proves itself by every signature of its own', () => {
    for (let round = 0; round < 40; round++) {
      expect(reading.verify(data, named(key.algorithm, key.sign(data)), key.algorithm)).toEqual(PROVEN);
    }
    expect(reading.verify(Buffer.from('else'), named(key.algorithm, key.sign(data)), key.algorithm)).toEqual(UNPROVEN);
  });

  test('proves nothing by a signature that is written in another way', () => {
    const [r, s] = key.halves(data);
    const longer = (number: Buffer) => string(Buffer.concat([Buffer.alloc(2), number]));
    const ways = [
      Buffer.concat([longer(r), mpint(s)]),
      Buffer.concat([mpint(r), longer(s)]),
      Buffer.concat([mpint(r), mpint(s), Buffer.alloc(1)]),
      Buffer.concat([mpint(r), string(Buffer.concat([Buffer.from([1]), s]))]),
      Buffer.concat([string(''), mpint(s)]),
      Buffer.concat([mpint(r), string(Buffer.from([0]))]),
      Buffer.concat([string(''), string('')]),
      Buffer.concat([r, s]),
    ];
    for (const way of ways) {
      expect(reading.verify(data, named(key.algorithm, way), key.algorithm)).toEqual(UNPROVEN);
    }
  });

  test.each([
    ['compressed', () => Buffer.concat([Buffer.from([2]), key.point.subarray(1, (key.point.length + 1) / 2)])],
    ['at infinity', () => Buffer.from([0])],
    ['not on the curve', () => flipped(key.point, key.point.length - 1)],
    ['beyond the field', () => Buffer.concat([Buffer.from([4]), Buffer.alloc(key.point.length - 1, 0xff)])],
    ['cut by a byte', () => key.point.subarray(0, -1)],
    ['of no bytes', () => Buffer.alloc(0)],
  ])('is damaged with a point that is %s', (_what, point) => {
    const blob = Buffer.concat([string(key.algorithm), string(`nistp${bits}`), string(point())]);
    expect(problemOf(blob)).toBe('this public key is damaged');
  });
});

test('a key whose point is anywhere is damaged', () => {
  expect(problemOf(makeBrokenEcdsaKey().blob)).toBe('this public key is damaged');
});

describe('an RSA key', () => {
  const key = makePair('rsa');
  const reading = read(key.blob);

  test.each(['rsa-sha2-256', 'rsa-sha2-512'])('proves itself by %s, and by nothing else under that name', (name) => {
    const other = name === 'rsa-sha2-256' ? 'rsa-sha2-512' : 'rsa-sha2-256';
    const hash = name.replace('rsa-sha2-', 'sha');
    const signature = named(name, key.sign(data, hash));
    expect(reading.verify(data, signature, name)).toEqual(PROVEN);
    // Attack: the request says one name and the signature another.
    expect(reading.verify(data, signature, other)).toEqual(UNPROVEN);
    expect(reading.verify(data, named(other, key.sign(data, hash)), other)).toEqual(UNPROVEN);
    expect(reading.verify(data, named(name, key.sign(data, 'sha1')), name)).toEqual(UNPROVEN);
    expect(reading.verify(data, Buffer.concat([signature, Buffer.alloc(1)]), name)).toEqual(UNPROVEN);
  });

  test('proves nothing by SHA-1, whatever it is called', () => {
    const signature = named('ssh-rsa', key.sign(data, 'sha1'));
    for (const name of ['ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512']) {
      expect(reading.verify(data, signature, name)).toEqual(UNPROVEN);
    }
  });

  test('proves itself by a signature whose leading zero was left out, and not by a longer one', () => {
    let message: Buffer = data;
    let signature: Buffer = Buffer.from([1]);
    for (let counter = 0; signature[0] !== 0; counter++) {
      message = Buffer.from(`what is signed ${counter}`);
      signature = key.sign(message, 'sha256');
    }
    const proven = (bytes: Buffer) => reading.verify(message, named('rsa-sha2-256', bytes), 'rsa-sha2-256').isProven;
    expect(proven(signature)).toBe(true);
    expect(proven(signature.subarray(1))).toBe(true);
    expect(proven(Buffer.concat([Buffer.alloc(1), signature]))).toBe(false);
    expect(proven(Buffer.alloc(0))).toBe(false);
  });

  const modulus = Buffer.concat([Buffer.alloc(1), Buffer.alloc(256, 0xff)]);
  test.each([
    ['the exponent 1', Buffer.from([1]), modulus, 'this public key is damaged'],
    ['an even exponent', Buffer.from([4]), modulus, 'this public key is damaged'],
    ['an exponent of nine bytes', Buffer.alloc(9, 1), modulus, 'this public key is damaged'],
    ['a negative exponent', Buffer.from([0x81]), modulus, 'this public key is damaged'],
    ['an even modulus', Buffer.from([3]), flipped(modulus, 256), 'this public key is damaged'],
    [
      'a modulus of 16385 bits',
      Buffer.from([3]),
      Buffer.alloc(2049, 1),
      'RSA keys may have 16384 bits; this one has 16385',
    ],
    [
      'a modulus of 2041 bits',
      Buffer.from([3]),
      Buffer.alloc(256, 1),
      'RSA keys must have at least 2048 bits; this one has 2041',
    ],
  ])('with %s is refused', (_what, exponent, number, problem) => {
    expect(problemOf(Buffer.concat([string('ssh-rsa'), string(exponent), string(number)]))).toBe(problem);
  });

  test('may have 16384 bits', () => {
    const largest = Buffer.concat([Buffer.alloc(1), Buffer.alloc(2048, 0xff)]);
    expect(problemOf(Buffer.concat([string('ssh-rsa'), string(Buffer.from([3])), string(largest)]))).toBeUndefined();
  });
});

const { test: withKeygen } = needs('ssh-keygen');
withKeygen('security keys as ssh-keygen prints them have the fingerprints that it prints', async () => {
  for (const name of ['sk-ed25519', 'sk-ecdsa']) {
    const file = join(import.meta.dirname, 'vectors', `${name}.pub`);
    const blob = Buffer.from(readFileSync(file, 'utf8').split(' ')[1] ?? '', 'base64');
    const { stdout } = await execute('ssh-keygen', ['-l', '-f', file]);
    expect(read(blob).key.sha256).toBe(stdout.split(' ')[1]);
  }
});

describe('whatever comes', () => {
  const seeds = [
    makeSecurityKey('ed25519-sk').blob,
    makeSecurityKey('ecdsa-sk').blob,
    ecdsa(256).blob,
    makePair('rsa').blob,
  ];
  const types = fc.constantFrom(
    ...[...KEY_ALGORITHMS, ...KEY_ALGORITHMS.map((name) => name.replace(/(@openssh\.com)?$/, '-cert-v01@openssh.com'))],
  );
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  const field = fc.oneof(
    bytes.map(string),
    bytes,
    fc.constantFrom(string('nistp256'), uint32(0xffff_ffff), string('')),
  );
  const blobs = fc.oneof(
    bytes,
    fc.tuple(types, fc.array(field, { maxLength: 16 })).map(([type, rest]) => Buffer.concat([string(type), ...rest])),
    fc
      .tuple(fc.constantFrom(...seeds), fc.nat(600), bytes)
      .map(([seed, at, rest]) => Buffer.concat([seed.subarray(0, at), rest])),
  );

  test('is read or refused with a reason, and no signature that is made up proves anything', () => {
    fc.assert(
      fc.property(
        blobs,
        fc.oneof(
          bytes,
          fc.tuple(types, bytes).map(([name, raw]) => named(name, raw)),
        ),
        (blob, signature) => {
          const reading = readUserKey(blob);
          if ('problem' in reading) {
            expect(reading.problem).toMatch(/^[\x20-\x7e]+$/);
            return;
          }
          for (const name of reading.algorithms) expect(reading.verify(data, signature, name).isProven).toBe(false);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

test('a key is its own, whatever becomes of the bytes it was read from', () => {
  const made = makeSecurityKey();
  const blob = Buffer.from(made.blob);
  const reading = read(blob);
  blob.fill(0);
  expect(Buffer.from(reading.key.blob).equals(made.blob)).toBe(true);
  expect(reading.verify(data, made.sign(data), made.algorithm)).toEqual(PROVEN);
});
