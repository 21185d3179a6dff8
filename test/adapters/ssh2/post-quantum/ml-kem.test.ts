/** Whoever computes ML-KEM-768 here, by the vectors that implementations are compared by, and each against the other. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { ML_KEM_768, NOBLE, NODE, type MlKem } from '../../../../src/adapters/ssh2/post-quantum/ml-kem.js';
import { aboveModulus } from './keys.js';

const BOTH: readonly (readonly [string, MlKem])[] = [NOBLE, ...(NODE === undefined ? [] : [NODE])].map((kem) => [
  kem.by,
  kem,
]);

test('@noble/post-quantum computes what Go, Rust and .NET do: the accumulated vectors of c2sp.org/CCTV/ML-KEM', () => {
  // A hundred rounds; what they start from is drawn from an empty SHAKE-128, and what comes out goes into another.
  const ROUNDS = 100;
  const [SEED, MESSAGE, CIPHERTEXT] = [64, 32, 1088];
  const drawn = createHash('shake128', { outputLength: ROUNDS * (SEED + MESSAGE + CIPHERTEXT) }).digest();
  let at = 0;
  const draw = (bytes: number) => drawn.subarray(at, (at += bytes));
  const out = createHash('shake128', { outputLength: 32 });
  for (let round = 0; round < ROUNDS; round += 1) {
    const { publicKey, secretKey } = ml_kem768.keygen(draw(SEED));
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, draw(MESSAGE));
    expect(ml_kem768.decapsulate(cipherText, secretKey)).toEqual(sharedSecret);
    const rejected = ml_kem768.decapsulate(draw(CIPHERTEXT), secretKey);
    for (const part of [publicKey, cipherText, sharedSecret, rejected]) out.update(part);
  }
  expect(out.digest('hex')).toBe('1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415');
});

test("it is Node's own from 24.7 on", () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const has = major > 24 || (major === 24 && minor >= 7);
  expect(ML_KEM_768.by).toBe(has ? 'Node' : '@noble/post-quantum');
});

const pairs = BOTH.flatMap(([from, client]) => BOTH.map(([to, server]) => [from, to, client, server] as const));

test.each(pairs)('a key of %s, and %s for the answer: both have the same secret', (_from, _to, client, server) => {
  const { encapsulationKey, decapsulate } = client.generate();
  const { ciphertext, secret } = server.encapsulate(encapsulationKey);
  expect([encapsulationKey, ciphertext, secret].map(({ length }) => length)).toEqual([1184, 1088, 32]);
  expect(decapsulate(ciphertext)).toEqual(secret);
  const other = server.encapsulate(encapsulationKey);
  expect(other.secret).not.toEqual(secret);
  // What is no answer to this key gives a secret that nobody else has, and no error (FIPS 203 6.3).
  const changed = Buffer.from(ciphertext);
  changed[7] = (changed[7] ?? 0) ^ 1;
  expect(decapsulate(changed)).toHaveLength(32);
  expect(decapsulate(changed)).not.toEqual(secret);
});

describe.each(BOTH)('%s refuses', (_by, kem) => {
  const { encapsulationKey, decapsulate } = kem.generate();
  const { ciphertext } = kem.encapsulate(encapsulationKey);

  // FIPS 203 7.2; each of the 768 coefficients is looked at.
  test.each([0, 1, 2, 255, 256, 511, 766, 767])(
    'a key whose coefficient %i is not below the modulus',
    (coefficient) => {
      for (const value of [3329, 4095]) {
        expect(() => kem.encapsulate(aboveModulus(encapsulationKey, coefficient, value))).toThrow();
      }
      expect(() => kem.encapsulate(aboveModulus(encapsulationKey, coefficient, 3328))).not.toThrow();
    },
  );

  test.each([0, 1183, 1185, 1568, 800])('a key of %i bytes', (length) => {
    expect(() => kem.encapsulate(Buffer.concat([encapsulationKey, Buffer.alloc(512)]).subarray(0, length))).toThrow();
  });

  test.each([0, 1087, 1089, 768])('a ciphertext of %i bytes', (length) => {
    expect(() => decapsulate(Buffer.concat([ciphertext, Buffer.alloc(512)]).subarray(0, length))).toThrow();
  });
});
