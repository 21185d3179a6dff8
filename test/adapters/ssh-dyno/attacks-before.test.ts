/**
 * What a hostile dyno may try until its command runs. Its SSH server is a hook's to replace: everything behind the
 * pinned key is in the attacker's hands.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { rejectionOf, until } from '../../../src/contracts/contract.js';
import type { DynoWire } from '../../support/ssh-dyno/hostile-dyno.js';
import { usedBytes } from '../../support/garbage.js';
import { boolean, MESSAGE, message, string, uint32 } from '../../support/ssh-bytes.js';
import { makePair } from '../ssh2/ground.js';
import { AttackGround, hostSigner, PINNED_FINGERPRINT } from './attack-ground.js';
import { MIB } from './ground.js';

const KIB = 1024;
let ground: AttackGround | undefined;

afterEach(async () => {
  await ground?.close();
  ground = undefined;
});

const globalRequest = () => message(MESSAGE.GLOBAL_REQUEST, string('keepalive@openssh.com'), boolean(true));
const keyed = async (wire: DynoWire) => {
  wire.identify();
  await wire.exchangeKeys();
};

test('a good dyno is served, so that what follows fails for its attack alone', async () => {
  ground = await AttackGround.start(async (wire) => {
    await wire.serve();
    wire.send(wire.data('out'), wire.errorData('err'), wire.exitStatus(3), wire.end(), wire.closeChannel());
  });
  const session = await ground.open();
  expect(await session.exit).toEqual({ kind: 'code', code: 3 });
  expect(String(session.stdout.read())).toBe('out');
  expect(String(session.stderr.read())).toBe('err');
});

describe('the first line', () => {
  test.each([
    ['of another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
    ['of SSH 1', 'SSH-1.5-old\r\n', 'SSH-1.5-old'],
    ['with control characters', 'a\u001b]0;pwned\u0007\r\n', 'a\\u001b]0;pwned\\u0007'],
  ])('%s is a fault that quotes it safely', async (_what, line, quote) => {
    ground = await AttackGround.start((wire) => wire.raw(line));
    const fault = await ground.openFaults();
    expect(fault.code).toBe('GM_BAD_ANSWER');
    expect(fault.message).toContain(`it does not speak SSH 2: "${quote}`);
  });

  test.each(['Exceeded MaxStartups', 'Not allowed at this time'])('%s is a dyno that is full', async (line) => {
    ground = await AttackGround.start((wire) => wire.raw(`${line}\r\n`));
    const fault = await ground.openFaults();
    expect([fault.code, fault.message]).toEqual(['GM_UNAVAILABLE', expect.stringContaining(line)]);
  });

  test('without an end is not waited for', async () => {
    // Attack: bytes without a line end, in many pieces. Bare ssh2 keeps the first piece and takes up to 8 KiB a line,
    // 1024 lines.
    ground = await AttackGround.start((wire) => wire.flood(() => Buffer.from('x')));
    expect((await ground.openFaults()).code).toBe('GM_BAD_ANSWER');
  });

  test('in three pieces is one', async () => {
    ground = await AttackGround.start(async (wire) => {
      for (const piece of ['SSH-2.0', '-hos', 'tile\r', '\n']) {
        wire.raw(piece);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await wire.exchangeKeys();
      await wire.acceptLogin();
      await wire.acceptChannel();
      await wire.acceptCommand();
    });
    await ground.open();
  });
});

describe('the host key', () => {
  test('of the right type that is not the pinned one is a fault with both fingerprints', async () => {
    const other = makePair();
    ground = await AttackGround.start(keyed, hostSigner(other));
    const fault = await ground.openFaults({}, { environment: { TOKEN: 'hunter2' }, secrets: ['TOKEN'] });
    expect(fault.code).toBe('GM_BAD_ANSWER');
    expect(fault.message).toContain(other.fingerprint);
    expect(fault.message).toContain(PINNED_FINGERPRINT);
    expect(fault.message).not.toContain('hunter2');
    // Nothing of ours was said to it: not even who we are.
    expect(ground.wire.received.map(([type]) => type)).not.toContain(MESSAGE.SERVICE_REQUEST);
  });

  test('shown by somebody who does not own it is a fault', async () => {
    // Attack: the pinned key is no secret. Show it, and sign by another.
    ground = await AttackGround.start(keyed, hostSigner(undefined, makePair()));
    const fault = await ground.openFaults();
    expect([fault.code, fault.message]).toEqual(['GM_BAD_ANSWER', expect.stringContaining('signature verification')]);
    expect(ground.wire.received.map(([type]) => type)).not.toContain(MESSAGE.SERVICE_REQUEST);
  });

  test('that changes in a later key exchange ends the session', async () => {
    // Attack: be the right dyno first, and hand the connection over in a key exchange in the middle.
    const host = hostSigner();
    const changing = { ...host };
    ground = await AttackGround.start(async (wire) => {
      await wire.serve();
      Object.assign(changing, hostSigner(makePair()));
      await wire.exchangeKeys();
    }, changing);
    expect(await ground.lost(await ground.open())).toContain('the pinned one is');
  });
});

test.each([
  ['kex', 'diffie-hellman-group1-sha1'],
  ['kex', 'ecdh-sha2-nistp256'],
  ['hostKey', 'ssh-rsa'],
  ['hostKey', 'ecdsa-sha2-nistp256'],
  ['hostKey', 'rsa-sha2-512'],
  ['cipher', 'aes128-cbc'],
  ['compression', 'zlib'],
  ['compression', 'zlib@openssh.com'],
])('no keys are agreed on by %s %s', async (list, name) => {
  // Attack: offer only what is weak, or what unpacks to a thousand times its size before anybody has logged in.
  ground = await AttackGround.start(async (wire) => {
    wire.identify();
    await wire.exchangeKeys({ [list]: [name] });
  });
  const fault = await ground.openFaults();
  expect([fault.code, fault.message]).toEqual(['GM_BAD_ANSWER', expect.stringContaining('no keys could be agreed on')]);
});

describe('after a packet length that can be none', () => {
  // Attack: four bytes, and then whatever the line carries. ssh2 reads on, into a buffer of the length that it has just
  // refused: up to 2 GiB.
  test.each([
    ['before keys are exchanged', async (wire: DynoWire) => wire.identify(), 0x3fff_fffc],
    ['after the log-in', (wire: DynoWire) => wire.serve(), 0x3fff_fff0],
  ])('%s nothing is kept of what follows', async (_when, before, length) => {
    let [most, sent] = [0, 0];
    ground = await AttackGround.start(async (wire) => {
      await before(wire);
      const held = process.memoryUsage().arrayBuffers;
      wire.raw(uint32(length));
      for (; sent < 64 && !wire.isClosed; sent += 1) {
        wire.raw(Buffer.alloc(MIB));
        await until(() => wire.socket.writableLength === 0 || wire.isClosed, 'it reads on, or is gone');
        most = Math.max(most, process.memoryUsage().arrayBuffers - held);
      }
    });
    const end = await rejectionOf(ground.open().then((session) => session.exit));
    expect(String(end)).toContain('it does not keep to the rules of SSH ("Bad packet length');
    await until(() => ground?.wire.isClosed === true, 'the connection is cut');
    expect(most).toBeLessThan(32 * MIB);
    await ground.expectLeft();
  });
});

describe('before the log-in', () => {
  test.each([
    ['a global request', globalRequest()],
    ['a channel', message(MESSAGE.CHANNEL_OPEN, string('x11'), uint32(0), uint32(9), uint32(9))],
    ['channel data', message(MESSAGE.CHANNEL_DATA, uint32(0), string('x'))],
    [
      'a password prompt for a key nobody has offered',
      message(MESSAGE.USERAUTH_PK_OK, string('ssh-ed25519'), string('x')),
    ],
    ['a failure of what nobody asked for', message(MESSAGE.USERAUTH_FAILURE, string('password'), boolean(false))],
    ['a success of what nobody asked for', message(MESSAGE.USERAUTH_SUCCESS)],
  ])('%s ends the connection', async (_what, payload) => {
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      wire.send(payload);
    });
    const fault = await ground.openFaults();
    expect([fault.code, fault.message]).toEqual(['GM_BAD_ANSWER', expect.stringContaining('message-before-login')]);
  });

  test('the same answer again and again is worked on once', async () => {
    // Attack: say "this key would do" without end. Bare ssh2 signs for each, and sends the proof again.
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      await wire.acceptService();
      await wire.next(MESSAGE.USERAUTH_REQUEST);
      const wouldDo = message(MESSAGE.USERAUTH_PK_OK, string('ssh-ed25519'), string('x'));
      await wire.flood(() => wouldDo, 2_000);
    });
    expect((await ground.openFaults()).message).toContain('message-before-login');
    expect(ground.wire.count(MESSAGE.USERAUTH_REQUEST)).toBeLessThanOrEqual(2);
  });

  test.each([
    ['banners', message(MESSAGE.USERAUTH_BANNER, string('x'.repeat(30 * KIB)), string(''))],
    ['messages to ignore', message(MESSAGE.IGNORE, string('x'.repeat(30 * KIB)))],
  ])('%s without end are heard for some KiB', async (_what, payload) => {
    // Attack: talk for as long as the client listens, before it has even said who it is.
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      await wire.flood(() => payload);
    });
    expect((await ground.openFaults()).message).toContain('too-much-before-login');
    expect(ground.wire.socket.bytesWritten).toBeLessThan(16 * MIB);
  });

  test('the words with which a dyno hangs up are quoted without secrets and control characters', async () => {
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      const words = string('\u001b[2J hunter2 is wrong');
      wire.send(message(MESSAGE.DISCONNECT, uint32(2), words, string('')));
    });
    const fault = await ground.openFaults({}, { environment: { TOKEN: 'hunter2' }, secrets: ['TOKEN'] });
    expect([fault.code, fault.message]).toEqual([
      'GM_UNAVAILABLE',
      expect.stringContaining('it ended the connection: "\\u001b[2J *** is wrong"'),
    ]);
  });
});

describe('silence', () => {
  const stages: readonly (readonly [string, (wire: DynoWire) => Promise<void> | void])[] = [
    ['from the start', () => undefined],
    ['after the first line', (wire) => wire.identify()],
    [
      'in the key exchange',
      (wire) => {
        wire.identify();
        wire.beginKeyExchange();
      },
    ],
    ['after the key exchange', keyed],
    [
      'in the log-in',
      async (wire) => {
        await keyed(wire);
        await wire.acceptService();
      },
    ],
    [
      'after the log-in',
      async (wire) => {
        await keyed(wire);
        await wire.acceptLogin();
      },
    ],
    [
      'when a command is asked for',
      async (wire) => {
        await keyed(wire);
        await wire.acceptLogin();
        await wire.acceptChannel();
      },
    ],
  ];

  test.each(stages)('%s lasts no longer than the time to connect', async (_when, attack) => {
    ground = await AttackGround.start(attack);
    const since = performance.now();
    const fault = await ground.openFaults({ connectMs: 300 });
    expect([fault.code, fault.message]).toEqual(['GM_TIMEOUT', expect.stringContaining('300 ms')]);
    expect(performance.now() - since).toBeLessThan(2_500);
  });

  test.each(stages)('%s is given up with the signal, with its own reason', async (_when, attack) => {
    ground = await AttackGround.start(attack);
    await ground.expectGivenUp(100);
  });
});

describe('a session that is not opened', () => {
  test.each([0, 1, 255])('for packets of at most %i bytes', async (packetSize) => {
    // Attack: a maximum packet size of 0, and a client that writes. Bare ssh2 loops for ever, and with it everything.
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      await wire.acceptLogin();
      await wire.acceptChannel({ packetSize });
    });
    expect((await ground.openFaults()).message).toContain('tiny-packets');
  });

  test('is a fault with the words of the dyno', async () => {
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      await wire.acceptLogin();
      await wire.next(MESSAGE.CHANNEL_OPEN);
      wire.send(message(MESSAGE.CHANNEL_OPEN_FAILURE, uint32(0), uint32(4), string('no\nroom'), string('')));
    });
    const fault = await ground.openFaults();
    expect([fault.code, fault.message]).toEqual(['GM_DYNO_START', 'the dyno opens no session: "no\\u000aroom"']);
  });

  test('because it is closed in place of an answer is a fault at once', async () => {
    ground = await AttackGround.start(async (wire) => {
      await keyed(wire);
      await wire.acceptLogin();
      await wire.acceptChannel();
      wire.send(wire.closeChannel());
    });
    expect((await ground.openFaults()).code).toBe('GM_DYNO_START');
  });
});

test('openings that end badly leave no memory behind', async () => {
  ground = await AttackGround.start(async (wire) => {
    await keyed(wire);
    wire.send(globalRequest());
  });
  const round = async () => {
    for (let n = 0; n < 30; n += 1) await ground?.openFaults();
    ground?.dyno.wires.splice(0);
    return usedBytes();
  };
  await round();
  const before = await round();
  expect((await round()) - before).toBeLessThan(MIB);
});
