/** The hybrid apart from SSH: what it sends, what it makes of it, and what it takes from nobody. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HYBRID, HYBRID_NAME } from '../../../../src/adapters/ssh2/post-quantum/hybrid.js';
import { Hybrid } from '../../../support/hostile/key-exchange.js';
import { aboveModulus, LOW_ORDER } from './keys.js';

const [KEY, CIPHERTEXT, POINT] = [1184, 1088, 32];

test('is the one of the draft by its name', () => {
  expect(HYBRID.name).toBe('mlkem768x25519-sha256');
  expect(HYBRID_NAME).toBe(HYBRID.name);
});

test('both sides have the same secret, of SHA-256, and another one each time', () => {
  const secrets = [1, 2].map(() => {
    const { init, finish } = HYBRID.begin();
    const { reply, secret } = HYBRID.answer(init);
    expect([init.length, reply.length, secret.length]).toEqual([KEY + POINT, CIPHERTEXT + POINT, 32]);
    expect(finish(reply)).toEqual(secret);
    return secret.toString('hex');
  });
  expect(new Set(secrets).size).toBe(2);
});

test('a client of its own making has the same secret: SHA-256 of the one of ML-KEM, then the one of X25519', () => {
  const client = new Hybrid();
  const { reply, secret } = HYBRID.answer(client.init);
  expect(client.secretOf(reply)).toEqual(secret);
});

describe('a server', () => {
  const { init } = new Hybrid();
  const [key, point] = [init.subarray(0, KEY), init.subarray(KEY)];

  test.each([0, 1, 32, KEY, KEY + POINT - 1, KEY + POINT + 1, 35_000])('takes no message of %i bytes', (length) => {
    expect(() => HYBRID.answer(Buffer.concat([init, Buffer.alloc(35_000)]).subarray(0, length))).toThrow(
      `${length} bytes where 1216 belong`,
    );
  });

  test('takes no key with a coefficient above the modulus', () => {
    for (const coefficient of [0, 767]) {
      expect(() => HYBRID.answer(Buffer.concat([aboveModulus(key, coefficient, 3329), point]))).toThrow();
    }
  });

  test.each(LOW_ORDER.map((low) => [low.toString('hex'), low] as const))('takes no point %s', (_hex, low) => {
    expect(() => HYBRID.answer(Buffer.concat([key, low]))).toThrow();
    const high = Buffer.from(low);
    high[31] = (high[31] ?? 0) | 0x80; // The bit that X25519 looks away from.
    expect(() => HYBRID.answer(Buffer.concat([key, high]))).toThrow();
  });

  test('makes of any bytes of the right length an answer or an error, and of a changed message no secret of this client', () => {
    const change = fc.array(fc.tuple(fc.nat(init.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(change, (changes) => {
        const client = new Hybrid();
        const changed = Buffer.from(client.init);
        for (const [at, by] of changes) changed[at] = (changed[at] ?? 0) ^ by;
        const answer = answerTo(changed);
        if (answer === undefined || changed.equals(client.init)) return;
        const isHighBitAlone =
          changed.subarray(0, -1).equals(client.init.subarray(0, -1)) &&
          ((changed.at(-1) ?? 0) ^ (client.init.at(-1) ?? 0)) === 0x80;
        if (!isHighBitAlone) expect(client.secretOf(answer.reply)).not.toEqual(answer.secret);
      }),
      { numRuns: 200 },
    );
  });
});

function answerTo(init: Buffer) {
  try {
    return HYBRID.answer(init);
  } catch {
    return undefined;
  }
}

describe('a client', () => {
  test.each([0, 32, CIPHERTEXT, CIPHERTEXT + POINT - 1, CIPHERTEXT + POINT + 1])(
    'takes no answer of %i bytes',
    (length) => {
      const { init, finish } = HYBRID.begin();
      const { reply } = HYBRID.answer(init);
      expect(() => finish(Buffer.concat([reply, Buffer.alloc(POINT)]).subarray(0, length))).toThrow();
    },
  );

  test.each(LOW_ORDER.map((low) => [low.toString('hex'), low] as const))('takes no point %s', (_hex, low) => {
    const { init, finish } = HYBRID.begin();
    const { reply } = HYBRID.answer(init);
    expect(() => finish(Buffer.concat([reply.subarray(0, CIPHERTEXT), low]))).toThrow();
  });
});
