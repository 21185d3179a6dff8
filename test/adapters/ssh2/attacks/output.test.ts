/** Output that nobody reads (weaknesses 3, 4 and 5 of docs/hardening.md): bounded in bytes and in time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ClientChannel } from '../../../../src/ports/client-channel.js';
import { until } from '../../../../src/contracts/contract.js';
import { HostileClient } from '../../../support/hostile/client.js';
import { channelRequest, MESSAGE, message, openSession, string } from '../../../support/ssh-bytes.js';
import { AttackGround, MEBIBYTE } from './attack-ground.js';
import { Transfer } from './transfer.js';

const HUGE_WINDOW = 0xffff_ffff;
const UNREAD_MS = 2_000;
const HELD_LIMIT_BYTES = 4 * MEBIBYTE;
/** What one piece of the client's requests, as the kernel hands it over, may be answered with. */
const ONE_READ_BYTES = MEBIBYTE / 2;
const LIMIT_MS = 60_000;
const PING = message(MESSAGE.PING, string(Buffer.alloc(64)));

let door: AttackGround;

afterEach(() => door.close());

/** Everything that attackers ask for is a huge repository. */
function serveHuge(): readonly Transfer[] {
  const transfers: Transfer[] = [];
  door.command = async ({ channel }) => void transfers.push(Transfer.begin(channel));
  return transfers;
}

describe('a client that takes nothing of its clone', () => {
  beforeEach(async () => {
    door = await AttackGround.open({ unreadMs: UNREAD_MS });
  });

  test('is not buffered for, and is cut', async () => {
    // Attack (weakness 3): ask for a repository with a window of 4 GiB and do not read the socket. It costs one
    // log-in. Bare ssh2 ignores what the socket says about being full: 80 MB more in a second per reader, the whole
    // pack. gitmouth stops reading git at 256 KiB, and cuts a client that takes nothing for `unreadMs`. How little is
    // held over a long transfer is measured in ../backpressure.test.ts.
    const transfers = serveHuge();
    const clients = await Promise.all(Array.from({ length: 5 }, () => door.logIn()));
    for (const client of clients) {
      await client.exec(await client.open(0, { window: HUGE_WINDOW }));
      client.pause();
    }
    const most = Promise.all(clients.map((client) => door.mostUnsentUntilGone(client, LIMIT_MS)));
    await door.expectHonestServed();
    for (const bytes of await most) expect(bytes).toBeLessThan(HELD_LIMIT_BYTES / 4);
    await until(() => transfers.every(({ channel }) => channel.gone.aborted), 'git is told');
    for (const client of clients) expect(await door.reasonOf(client)).toBe('stalled-output');
  });

  test('is told from one that reads slowly, which is served to its end', async () => {
    const transfers = serveHuge();
    const client = await door.logIn();
    client.consume = (payload) => payload[0] === MESSAGE.CHANNEL_DATA;
    await client.exec(await client.open(0, { window: HUGE_WINDOW }));
    for (const end = Date.now() + 3 * UNREAD_MS; Date.now() < end;) {
      const due = client.socket.bytesRead + MEBIBYTE;
      client.resume();
      while (client.socket.bytesRead < due && !client.isClosed) await sleep(1);
      client.pause();
      await sleep(100);
    }
    expect(door.isGone(client)).toBe(false);
    expect(transfers[0]?.sent).toBeGreaterThan(10 * MEBIBYTE);
  });
});

describe('a client that asks and does not read the answers', () => {
  // Attack (weakness 5, after the log-in): never read the socket, and send requests that want a reply. It costs 40 to
  // 55 MB sent in 15 s. Bare ssh2 keeps every answer: 114 to 127 MB more. gitmouth cuts the connection when
  // `unreadBytes` are waiting.
  const unreadBytes = MEBIBYTE;

  beforeEach(async () => {
    door = await AttackGround.open({ unreadBytes });
  });

  test.each([
    ['global requests', () => HostileClient.globalRequest()],
    ['channels of no kind', () => openSession(0, { type: 'none' })],
    ['more sessions than there are', () => openSession(1)],
    ['requests on a channel', () => channelRequest(0, 'none', true, string(''))],
    ['pings', () => PING],
  ])('of %s has no more held than the limit', async (_what, make) => {
    const client = await door.logIn();
    for (let mine = 0; mine < 10; mine++) await client.open(mine);
    client.pause();
    void client.flood(make, 600_000);
    const most = door.mostUnsentUntilGone(client, LIMIT_MS);
    await door.expectHonestServed();
    expect(await most).toBeLessThan(unreadBytes + ONE_READ_BYTES);
    expect(await door.reasonOf(client)).toBe('unread-output');
  });
});

describe('a client that asks during a key exchange', () => {
  const unreadBytes = MEBIBYTE / 2;

  /** The most that was held for a client until it was cut; it reads all the while. */
  async function mostHeldUntilClosed(client: HostileClient, channel: () => ClientChannel): Promise<number> {
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, channel().heldBytes())), 1);
    await client.closed(LIMIT_MS).finally(() => clearInterval(watch));
    return most;
  }

  test.each([
    ['channels of no kind', () => openSession(0, { type: 'none' })],
    ['pings', () => PING],
  ])('that the server began, and asks for %s instead, has no more held than the limit', async (_what, make) => {
    // Attack (as OpenSSH's CVE-2025-26466): during a key exchange nothing else may be sent, so answers queue behind it,
    // and the asker may ask on until it has sent its own KEXINIT. It costs a log-in and the requests. Bare ssh2 queues
    // without bound (weakness 4). gitmouth counts this queue as it counts the socket's.
    door = await AttackGround.open({ unreadBytes, rekeyMs: 500 });
    const client = await door.logIn();
    client.isDeafToKeyExchange = true;
    await client.exec(await client.open());
    const [request] = door.inside.gateway.requests;
    if (request === undefined) throw new Error('the request did not arrive');
    await client.next(MESSAGE.KEXINIT);
    void client.flood(make, 200_000);
    const most = mostHeldUntilClosed(client, () => request.channel);
    await door.expectHonestServed();
    expect(await most).toBeLessThan(unreadBytes + ONE_READ_BYTES);
    expect(await most).toBeGreaterThan(unreadBytes / 2);
    expect(await door.reasonOf(client)).toBe('unread-output');
  });

  test('that it began itself is ended at once (RFC 4253 7.1)', async () => {
    door = await AttackGround.open({ unreadBytes });
    const client = await door.logIn();
    client.isDeafToKeyExchange = true;
    client.beginKeyExchange();
    client.send(HostileClient.globalRequest());
    await client.closed();
    expect(client.count(MESSAGE.REQUEST_FAILURE)).toBe(0);
    await door.expectHonestServed();
  });
});
