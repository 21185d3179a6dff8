/** The hybrid within SSH, by a client that shares no code with ssh2 nor with the server's hybrid. */
import { createPublicKey, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../../../../src/contracts/contract.js';
import { turnedAwayLine } from '../../../../src/domain/words/turned-away.js';
import { HostileClient } from '../../../support/hostile/client.js';
import { Hybrid, HYBRID, kexInit, readKexInit } from '../../../support/hostile/key-exchange.js';
import { HostileWire } from '../../../support/hostile/wire.js';
import { needs, NEWER_SSH } from '../../../support/programs.js';
import { MESSAGE, message, Reader, string } from '../../../support/ssh-bytes.js';
import { makePair, openGround, type Ground } from '../ground.js';
import { generateKey, openssh } from '../openssh.js';
import { aboveModulus, LOW_ORDER } from './keys.js';

const alice = makePair();
const STRICT = 'kex-strict-c-v00@openssh.com';
const CURVE = 'curve25519-sha256';
const KEY_BYTES = 1184;
/** Its MAC counts the packets, so that it notices who does not begin anew where both are strict. */
const COUNTING = ['aes256-ctr'];

let ground: Ground;
let client: HostileWire;

beforeEach(async () => {
  ground = await openGround();
  ground.gateway.platform.register('alice', alice.publicKey);
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

async function logIn(...kex: readonly string[]): Promise<HostileClient> {
  const loggedIn = await HostileClient.logIn(ground.port, alice, { offer: { kex, cipher: COUNTING } });
  client = loggedIn;
  return loggedIn;
}

async function expectServed(by: HostileClient, channel = 0): Promise<void> {
  const before = by.count(MESSAGE.CHANNEL_CLOSE);
  await by.exec(await by.open(channel), 'who');
  await until(() => by.count(MESSAGE.CHANNEL_CLOSE) > before, 'the command has ended');
  const said = by.received.filter(([type]) => type === MESSAGE.CHANNEL_DATA).at(-1);
  expect(said?.toString()).toContain('alice');
}

describe('a session', () => {
  test.each([
    ['strict', [HYBRID, STRICT]],
    ['not strict', [HYBRID]],
    ['told of our signature algorithms', [HYBRID, 'ext-info-c', STRICT]],
  ])('over the hybrid is served, and has new keys as often as it wants: %s', async (_how, kex) => {
    const wire = await logIn(...kex);
    await expectServed(wire, 0);
    for (const [round, list] of [[HYBRID], [HYBRID, CURVE], [CURVE, HYBRID], [HYBRID]].entries()) {
      wire.send(message(MESSAGE.IGNORE, string('')));
      await wire.exchangeKeys({ kex: list, cipher: COUNTING });
      await expectServed(wire, round + 1);
    }
    expect(wire.exchanges).toBe(5);
    expect(wire.count(7)).toBe(kex.includes('ext-info-c') ? 1 : 0);
  });

  needs('newer-ssh', 'ssh-keygen').test('over the hybrid with OpenSSH 10 is served', async () => {
    await logIn(CURVE);
    const key = await generateKey('-t', 'ed25519');
    ground.gateway.platform.register('bob', key.publicKey);
    const { stdout, stderr } = await openssh(ground, key.path, { ssh: NEWER_SSH, options: ['-v'] });
    expect(/kex: algorithm: (\S+)/.exec(stderr)?.[1]).toBe(HYBRID);
    expect(stdout).toContain('bob');
  });

  test('is told in the log with what was agreed on', async () => {
    await logIn(HYBRID, STRICT);
    await client.close();
    await logIn(CURVE, STRICT);
    expect(ground.observer.ofType('login-succeeded').map(({ keyExchange }) => keyExchange)).toEqual([HYBRID, CURVE]);
  });
});

describe('which key exchange it is', () => {
  test.each([
    ['the first of the client that the server has', ['sntrup761x25519-sha512@openssh.com', HYBRID, CURVE], HYBRID],
    ['another one of the client, where it likes that better', [CURVE, HYBRID], CURVE],
    ['another one than the hybrid, where the client has none', ['no-such@example.com', CURVE], CURVE],
    ['the hybrid, though its stand-in is not there', [HYBRID], HYBRID],
  ])('is %s', async (_which, kex, agreed) => {
    // 1216 bytes are no point of X25519, nor are they for anything else.
    const { answer, exchange } = await begin(new Hybrid().initMessage(), kex);
    expect(readKexInit(exchange.inits[1]).kex[0]).toBe(HYBRID);
    expect(answer[0]).toBe(agreed === HYBRID ? MESSAGE.KEX_ECDH_REPLY : MESSAGE.DISCONNECT);
  });
});

/** Up to the answer to the first message of the client's. */
async function begin(first: Buffer, kex: readonly string[] = [HYBRID, STRICT]) {
  const wire = await HostileWire.dial(ground.port);
  client = wire;
  const mine = kexInit({ kex, hostKey: ['ssh-ed25519'] });
  wire.raw('SSH-2.0-hostile\r\n');
  wire.send(mine);
  const theirs = await wire.next(MESSAGE.KEXINIT);
  wire.send(first);
  const answer = await wire.next(MESSAGE.KEX_ECDH_REPLY, MESSAGE.DISCONNECT);
  const exchange = {
    identifications: ['SSH-2.0-hostile', wire.serverIdentification ?? ''],
    inits: [mine, theirs],
  } as const;
  return { wire, answer, exchange };
}

describe('what makes no secret', () => {
  const init = new Hybrid().init;
  const [key, point] = [init.subarray(0, KEY_BYTES), init.subarray(KEY_BYTES)];

  // Attack: send as the first message what is none: of another length, with a key or a point that a sound client never
  // makes. A point of low order would have the half of X25519 be known to everybody; a coefficient above the modulus is
  // what FIPS 203 7.2 says to refuse; a length trusted would read past the end.
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a point of X25519 alone', point],
    ['a key of ML-KEM alone', key],
    ['a byte too few', init.subarray(0, -1)],
    ['a byte too many', Buffer.concat([init, Buffer.alloc(1)])],
    ['as much as fits into a packet', Buffer.alloc(34_000, 1)],
    ['the halves the other way round', Buffer.concat([point, key])],
    ['a coefficient above the modulus', Buffer.concat([aboveModulus(key, 5, 3329), point])],
    ['a key of ones', Buffer.concat([Buffer.alloc(KEY_BYTES, 0xff), point])],
    ['a point of low order', Buffer.concat([key, LOW_ORDER[2] ?? point])],
    ['zeros', Buffer.alloc(init.length)],
  ])('is refused: %s', async (_what, sent) => {
    // With what would be next, in the same piece: nothing comes of it either.
    const { wire, answer } = await begin(message(MESSAGE.KEX_ECDH_INIT, string(sent)));
    const disconnect = new Reader(answer);
    expect([answer[0], disconnect.uint32(), disconnect.text()]).toEqual([
      MESSAGE.DISCONNECT,
      3,
      turnedAwayLine('no-keys-agreed'),
    ]);
    await wire.closed();
    await until(() => ground.observer.ofType('connection-closed').length === 1, 'its end is told');
    expect(ground.observer.ofType('connection-closed')).toMatchObject([{ reason: 'no-keys-agreed' }]);
    expect(ground.observer.ofType('problem')).toEqual([]);
    await expectServed(await logIn(HYBRID));
  });

  test('is refused at once, also when a key exchange goes on as if nothing were', async () => {
    const wire = await HostileWire.dial(ground.port);
    client = wire;
    wire.raw('SSH-2.0-hostile\r\n');
    const bad = message(MESSAGE.KEX_ECDH_INIT, string('bad'));
    wire.send(kexInit({ kex: [HYBRID] }), bad, new Hybrid().initMessage(), message(MESSAGE.NEWKEYS), bad);
    await wire.closed();
    expect(wire.received.map(([type]) => type)).toEqual([MESSAGE.KEXINIT, MESSAGE.DISCONNECT]);
  });

  test('is refused in the middle of a session, too', async () => {
    const wire = await logIn(HYBRID, STRICT);
    wire.isDeafToKeyExchange = true;
    wire.beginKeyExchange({ kex: [HYBRID], cipher: COUNTING });
    wire.send(message(MESSAGE.KEX_ECDH_INIT, string(Buffer.alloc(init.length))));
    expect(await wire.turnedAway()).toEqual({ reason: 3, words: turnedAwayLine('no-keys-agreed') });
  });
});

describe('a first message that was changed on the line', () => {
  // Attack: somebody on the line changes the client's first message, in bytes, in its length, anywhere. Whatever the
  // server makes of it, what it signs is not what the client has, who then leaves.
  test('makes no session: the server refuses it, or signs what the client takes from nobody', async () => {
    let answered = 0;
    const attempt = async (change: (sent: Buffer) => Buffer): Promise<boolean> => {
      const hybrid = new Hybrid();
      const { wire, answer, exchange } = await begin(change(hybrid.initMessage()));
      await wire.close();
      if (answer[0] === MESSAGE.DISCONNECT) return false;
      answered += 1;
      return isSigned(answer, hybrid.finish(answer, exchange, undefined).hash);
    };
    expect(await attempt((sent) => sent)).toBe(true);
    const size = new Hybrid().initMessage().length;
    const changes = fc.oneof(
      fc.record({ at: fc.integer({ min: 1, max: size - 1 }), by: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ end: fc.integer({ min: 1, max: size - 1 }) }),
      fc.record({ more: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    );
    await fc.assert(
      fc.asyncProperty(changes, async (change) => {
        const changed = (sent: Buffer) => {
          if ('end' in change) return sent.subarray(0, change.end);
          // Past the string, where nothing reads: for that one the string itself is made longer.
          if ('more' in change)
            return message(MESSAGE.KEX_ECDH_INIT, string(Buffer.concat([sent.subarray(5), change.more])));
          const bytes = Buffer.from(sent);
          bytes[change.at] = (bytes[change.at] ?? 0) ^ change.by;
          return bytes;
        };
        expect(await attempt(changed)).toBe(false);
      }),
      { numRuns: 120 },
    );
    expect(answered).toBeGreaterThan(1);
    expect(ground.observer.ofType('problem')).toEqual([]);
  });
});

/** Whether the Ed25519 signature of a reply is one of this hash. */
function isSigned(reply: Buffer, hash: Buffer): boolean {
  const reader = new Reader(reply);
  const hostKey = new Reader(reader.string(), 0);
  reader.string();
  const signature = new Reader(reader.string(), 0);
  hostKey.text();
  signature.text();
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: hostKey.string().toString('base64url') };
  return verify(null, hash, createPublicKey({ key: jwk, format: 'jwk' }), signature.string());
}
