/** Packets that can't be ones, and what comes behind them. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../contracts/contract.js';
import { usedBytes } from '../../support/garbage.js';
import { HostileClient } from '../../support/hostile/client.js';
import { MESSAGE, message, string } from '../../support/ssh-bytes.js';
import { openGround, type Ground } from './ground.js';

const MEBIBYTE = 1024 ** 2;
const PIECES = 64;
/** A multiple of every block's size, once the length itself is counted or not. */
const HUGE_LENGTHS = { plain: 0x3fff_fffc, encrypted: 0x3fff_fff0 };

describe('after a packet length that was refused', () => {
  // Attack: four bytes, before any log-in. ssh2 refuses a length beyond 35,000 bytes and ends its side, but it goes on
  // reading with the state it was in, and takes what comes next into a buffer of the length it has just refused: up to
  // 2 GiB a connection, filled at the speed of the line.
  let ground: Ground;
  let client: HostileClient;

  beforeEach(async () => {
    ground = await openGround();
  });

  afterEach(async () => {
    await client.close();
    await ground.close();
  });

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

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}
