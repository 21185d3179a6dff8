/** Packets that can't be ones, and what comes behind them. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../src/contracts/contract.js';
import { turnedAwayLine, type TurnedAway } from '../../../src/domain/words/turned-away.js';
import { usedBytes } from '../../support/garbage.js';
import { HostileClient } from '../../support/hostile/client.js';
import { MESSAGE, message, string } from '../../support/ssh-bytes.js';
import { openGround, type Ground } from './ground.js';

const MEBIBYTE = 1024 ** 2;
const PIECES = 64;
/** A multiple of every block's size, once the length itself is counted or not. */
const HUGE_LENGTHS = { plain: 0x3fff_fffc, encrypted: 0x3fff_fff0 };

let ground: Ground;
let client: HostileClient;

beforeEach(async () => {
  ground = await openGround();
});

afterEach(async () => {
  await client.close();
  await ground.close();
});

describe('after a packet length that was refused', () => {
  // Attack: four bytes, before any log-in. ssh2 refuses a length beyond 35,000 bytes and ends its side, but it goes on
  // reading with the state it was in, and takes what comes next into a buffer of the length it has just refused: up to
  // 2 GiB a connection, filled at the speed of the line.
  async function expectNothingKept(): Promise<void> {
    await until(() => client.socket.readableEnded || client.isClosed, 'the server ends its side');
    await usedBytes();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let n = 0; n < PIECES && !client.isClosed; n += 1) {
      client.raw(Buffer.alloc(MEBIBYTE));
      await until(() => client.socket.writableLength === 0 || client.isClosed, 'the server reads on, or is gone');
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(2 * PIECES * MEBIBYTE);
    expect(ground.observer.ofType('problem')).toEqual([]);
  }

  test('nothing is kept of what follows, before keys are exchanged', async () => {
    client = await HostileClient.dial(ground.port, { allowHalfOpen: true });
    client.identify();
    await client.next(MESSAGE.KEXINIT);
    client.raw(lengthOf(HUGE_LENGTHS.plain));
    await expectNothingKept();
  });

  test.each(['aes128-gcm@openssh.com', 'aes256-ctr'])('nothing is kept of what follows, under %s', async (cipher) => {
    client = await HostileClient.connect(ground.port, { allowHalfOpen: true, offer: { cipher: [cipher] } });
    const packet = client.sealed(message(MESSAGE.IGNORE, string('x')));
    client.raw(Buffer.concat([lengthOf(HUGE_LENGTHS.encrypted), packet.subarray(4)]));
    await expectNothingKept();
  });
});

describe('whoever can not be understood is told so', () => {
  async function expectTold(why: TurnedAway, reason: number): Promise<void> {
    expect(await client.turnedAway()).toEqual({ reason, words: turnedAwayLine(why) });
    await until(() => ground.observer.ofType('connection-closed').length === 1, 'the connection is closed');
    expect(ground.observer.ofType('connection-closed')).toMatchObject([{ reason: why }]);
    expect(ground.observer.ofType('problem')).toEqual([]);
  }

  test.each(['aes128-gcm@openssh.com', 'aes256-ctr'])(
    'when a packet was changed on its way, under %s',
    async (cipher) => {
      client = await HostileClient.connect(ground.port, { offer: { cipher: [cipher] } });
      const packet = client.sealed(message(MESSAGE.IGNORE, string('x')));
      packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
      client.raw(packet);
      await expectTold('broken-protocol', 2);
    },
  );

  test('when the first length is none', async () => {
    client = await HostileClient.dial(ground.port);
    client.identify();
    await client.next(MESSAGE.KEXINIT);
    client.raw(lengthOf(HUGE_LENGTHS.plain));
    await expectTold('broken-protocol', 2);
  });

  test('when a message ends before it should', async () => {
    client = await HostileClient.connect(ground.port);
    client.send(message(MESSAGE.SERVICE_REQUEST, lengthOf(100)));
    await expectTold('broken-protocol', 2);
  });

  test('when there is no key exchange in common', async () => {
    client = await HostileClient.dial(ground.port);
    client.identify();
    client.beginKeyExchange({ kex: ['diffie-hellman-group1-sha1'] });
    await expectTold('no-keys-agreed', 3);
  });

  test('and a client that says itself why it leaves is not answered', async () => {
    client = await HostileClient.connect(ground.port);
    client.send(message(MESSAGE.DISCONNECT, lengthOf(2), string('I give up'), string('')));
    await client.closed();
    expect(client.count(MESSAGE.DISCONNECT)).toBe(0);
    await until(() => ground.observer.ofType('connection-closed').length === 1, 'the connection is closed');
    expect(ground.observer.ofType('connection-closed')[0]).not.toHaveProperty('reason');
  });
});

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}
