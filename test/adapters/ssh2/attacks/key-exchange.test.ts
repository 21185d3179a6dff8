/** Key exchanges (weaknesses 4 and 17 of docs/hardening.md): ended in time, made in time, and not too many. */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../../src/contracts/contract.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { kexInit } from '../../../support/hostile/key-exchange.js';
import { MESSAGE, message, string, uint32 } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, MEBIBYTE, REASON } from './attack-ground.js';
import { Transfer } from './transfer.js';

const KEY_EXCHANGE_MS = 1_500;
const HUGE_WINDOW = 0xffff_ffff;

let door: AttackGround;

afterEach(() => door.close());

describe('a key exchange that is left hanging', () => {
  // Attack (weakness 4): begin a key exchange and never end it. While it lasts the server may send nothing else, so
  // that all it has to say waits. It costs one packet. Bare ssh2 waits for ever and queues without bound: 75 MB per
  // connection for a pack of 64 MB. gitmouth holds git back (../backpressure.test.ts) and ends such a connection after
  // `keyExchangeMs`.
  test('in the middle of a clone ends the connection', async () => {
    door = await AttackGround.open({ keyExchangeMs: KEY_EXCHANGE_MS });
    const transfers: Transfer[] = [];
    door.command = async ({ channel }) => void transfers.push(Transfer.begin(channel));
    const client = await door.logIn();
    client.consume = (payload) => payload[0] === MESSAGE.CHANNEL_DATA;
    await client.exec(await client.open(0, { window: HUGE_WINDOW }));
    client.isDeafToKeyExchange = true;
    const since = performance.now();
    client.beginKeyExchange();
    await door.expectHonestServed();
    await expectTurnedAway(client, REASON.KEY_EXCHANGE_FAILED, 'key-exchange-timeout');
    expect(performance.now() - since).toBeGreaterThan(KEY_EXCHANGE_MS - 50);
    await until(() => transfers[0]?.isFreed === true, 'the writer is freed');
  });

  test('before the log-in ends the connection', async () => {
    door = await AttackGround.open({ keyExchangeMs: KEY_EXCHANGE_MS });
    const client = await door.dial();
    client.identify();
    client.beginKeyExchange();
    await door.expectHonestServed();
    await expectTurnedAway(client, REASON.KEY_EXCHANGE_FAILED, 'key-exchange-timeout');
  });

  test('when it was the server who began it ends the connection, too', async () => {
    door = await AttackGround.open({ keyExchangeMs: KEY_EXCHANGE_MS, rekeyMs: 300 });
    const client = await door.logIn();
    client.isDeafToKeyExchange = true;
    await expectTurnedAway(client, REASON.KEY_EXCHANGE_FAILED, 'key-exchange-timeout');
    await door.expectHonestServed();
  });
});

describe('keys that are old', () => {
  // No attack: RFC 4253 9 wants new keys after a gigabyte or an hour, and AES-GCM and ChaCha20 must not be used without
  // end. Bare ssh2 (weakness 17) makes new keys only when the client asks.
  test('by the bytes that were sent are replaced, and nothing of the clone is lost', async () => {
    door = await AttackGround.open({ rekeyBytes: MEBIBYTE });
    const [sent, got] = [createHash('sha256'), createHash('sha256')];
    let taken = 0;
    const client = await door.logIn();
    client.consume = (payload) => {
      if (payload[0] !== MESSAGE.CHANNEL_DATA) return false;
      got.update(payload.subarray(9));
      taken += payload.length - 9;
      return true;
    };
    door.command = async ({ channel }) => {
      for (let chunk = 0; chunk < 8 * 16; chunk++) {
        const bytes = randomBytes(64 * 1024);
        sent.update(bytes);
        await new Promise((resolve) => channel.stdout.write(bytes, resolve));
        // As git's pipe does, and unlike a loop: other things get their turn between two chunks.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await client.exec(await client.open(0, { window: HUGE_WINDOW }));
    await until(() => taken === 8 * MEBIBYTE, 'all is taken');
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    expect(client.exchanges).toBeGreaterThanOrEqual(4);
  });

  test('by the bytes that were received are replaced', async () => {
    door = await AttackGround.open({ rekeyBytes: MEBIBYTE });
    const client = await door.logIn();
    for (let round = 1; round <= 3; round++) {
      await client.flood(() => message(MESSAGE.IGNORE, string(Buffer.alloc(16 * 1024))), 72);
      await until(() => client.exchanges > round, 'keys are exchanged');
    }
  });

  test('by the time are replaced, also where nothing is sent', async () => {
    door = await AttackGround.open({ rekeyMs: 400 });
    const client = await door.logIn();
    await until(() => client.exchanges >= 3, 'keys are exchanged twice');
    await client.exec(await client.open());
  });
});

describe('key exchanges without end', () => {
  // Attack (weakness 17): exchange keys over and over. It costs the attacker about what it costs the server, but a
  // botnet has more processors. Bare ssh2 did about 200 a second per connection. gitmouth allows `rekeysPerMinute` to
  // whoever has sent less than a mebibyte in between.
  test('end the connection', async () => {
    const allowed = 5;
    door = await AttackGround.open({ rekeysPerMinute: allowed });
    const client = await door.logIn();
    const rekeying = rekeyWhileOpen(client);
    await door.expectHonestServed();
    await rekeying;
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'too-many-key-exchanges');
    // The first is the one of the connection, which may or may not count.
    expect(client.exchanges).toBeGreaterThanOrEqual(allowed);
    expect(client.exchanges).toBeLessThanOrEqual(allowed + 1);
  });

  test('end the connection of a stranger, too', async () => {
    door = await AttackGround.open({ rekeysPerMinute: 5 });
    const client = await door.connect();
    await rekeyWhileOpen(client);
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'too-many-key-exchanges');
    await door.expectHonestServed();
  });

  test('are none when each comes with its traffic', async () => {
    door = await AttackGround.open({ rekeysPerMinute: 3 });
    const client = await door.logIn();
    for (let round = 0; round < 8; round++) {
      await client.flood(() => message(MESSAGE.IGNORE, string(Buffer.alloc(16 * 1024))), 65);
      await client.exchangeKeys();
    }
    await client.exec(await client.open());
  });

  async function rekeyWhileOpen(client: HostileClient): Promise<void> {
    for (let round = 0; round < 100 && !client.isClosed; round++) {
      await client.exchangeKeys().catch(() => undefined);
      await sleep(1);
    }
  }
});

describe('a key exchange that is disturbed', () => {
  test.each([
    // Attack (OpenSSH CVE-2016-8858): KEXINIT again and again, each of which takes memory.
    ['by a second KEXINIT', (client: HostileClient) => client.send(kexInit(), kexInit())],
    // Attack (Terrapin, CVE-2023-48795): a message in clear before the keys, so that the count of packets is off and
    // the first message behind them can be dropped unseen. The strict key exchange ends the connection.
    [
      'by a message to be ignored',
      (client: HostileClient) => client.send(message(MESSAGE.IGNORE, string('')), kexInit()),
    ],
    [
      'by a message between its own',
      (client: HostileClient) => client.send(kexInit(), message(MESSAGE.IGNORE, string(''))),
    ],
    // Attack: use keys that were never agreed on.
    ['by NEWKEYS at once', (client: HostileClient) => client.send(kexInit(), message(MESSAGE.NEWKEYS))],
    // Attack (RFC 8731 3): a point that makes the secret zero, whatever the server's key is.
    ['by a point of zeros', (client: HostileClient) => client.send(kexInit(), init(Buffer.alloc(32)))],
    ['by a point that is too short', (client: HostileClient) => client.send(kexInit(), init(Buffer.alloc(31, 9)))],
    ['by a point that is too long', (client: HostileClient) => client.send(kexInit(), init(Buffer.alloc(4096, 9)))],
    [
      'by lists without an end',
      (client: HostileClient) => client.send(message(MESSAGE.KEXINIT, Buffer.alloc(16), uint32(1e9))),
    ],
  ])('%s ends, and nobody else’s', async (_how, disturb) => {
    door = await AttackGround.open();
    const client = await door.dial();
    client.identify();
    disturb(client);
    await client.closed();
    expect(client.exchanges).toBe(0);
    await door.expectHonestServed();
  });

  const init = (point: Buffer) => message(MESSAGE.KEX_ECDH_INIT, string(point));
});
