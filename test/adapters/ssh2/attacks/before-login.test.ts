/** What strangers may say (weakness 11 of docs/hardening.md), and what they may have held for them (5). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readKeyBlob } from '../../../../src/adapters/ssh2/public-keys.js';
import { HostileClient } from '../../../support/hostile/client.js';
import {
  boolean,
  channelRequest,
  MESSAGE,
  message,
  offer,
  openSession,
  string,
  uint32,
} from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, MEBIBYTE, REASON } from './attack-ground.js';

/** Read by nothing but its size. */
const GIANT = keyOf(
  Buffer.concat([string('ssh-rsa'), string(Buffer.from([1, 0, 1])), string(Buffer.alloc(2048, 0x7f))]),
);

let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open();
});

afterEach(() => door.close());

function keyOf(blob: Buffer) {
  const reading = readKeyBlob(blob);
  if ('problem' in reading) throw new Error(reading.problem);
  return { blob, publicKey: reading.key };
}

/** Nobody was asked about a key, and nothing ran. */
function expectNothingReached(): void {
  const ofMallory = door.inside.gateway.requests.filter(({ caller }) => caller.user.name === 'mallory');
  expect(ofMallory).toEqual([]);
  expect(door.inside.gateway.lookups).not.toContain(door.key.fingerprint);
}

describe('a message that has no place before the log-in', () => {
  // Attack: send what only a server says, or what belongs behind the log-in, and hope that it is taken as it comes. It
  // costs one packet. It was the whole log-in of libssh (CVE-2018-10933: USERAUTH_SUCCESS), Paramiko (2018-7750) and
  // Erlang (2025-32433: a channel and a command). Bare ssh2 runs nothing, yet answers global requests and channels of
  // strangers (82, 92). RFC 4252 6 has such messages end the connection, and so does gitmouth, in words.
  test.each([
    ['SERVICE_ACCEPT', message(MESSAGE.SERVICE_ACCEPT, string('ssh-userauth'))],
    ['a message of transports to come (19)', message(19)],
    ['NEWKEYS without an exchange', message(MESSAGE.NEWKEYS)],
    ['a key without an exchange', message(MESSAGE.KEX_ECDH_INIT, string(Buffer.alloc(32, 9)))],
    ['USERAUTH_FAILURE', message(MESSAGE.USERAUTH_FAILURE, string('publickey'), boolean(true))],
    ['USERAUTH_SUCCESS', message(MESSAGE.USERAUTH_SUCCESS)],
    ['USERAUTH_BANNER', message(MESSAGE.USERAUTH_BANNER, string('hello'), string(''))],
    ['USERAUTH_PK_OK', message(MESSAGE.USERAUTH_PK_OK, string('ssh-ed25519'), string('x'))],
    ['USERAUTH_INFO_RESPONSE', message(MESSAGE.USERAUTH_INFO_RESPONSE, uint32(0))],
    ['GLOBAL_REQUEST', HostileClient.globalRequest('tcpip-forward')],
    ['REQUEST_SUCCESS', message(MESSAGE.REQUEST_SUCCESS)],
    ['CHANNEL_OPEN', openSession(0)],
    ['CHANNEL_OPEN_CONFIRMATION', message(MESSAGE.CHANNEL_OPEN_CONFIRMATION, ...[0, 0, 1024, 1024].map(uint32))],
    ['CHANNEL_WINDOW_ADJUST', message(MESSAGE.CHANNEL_WINDOW_ADJUST, uint32(0), uint32(1))],
    ['CHANNEL_DATA', message(MESSAGE.CHANNEL_DATA, uint32(0), string('x'))],
    ['CHANNEL_EOF', message(MESSAGE.CHANNEL_EOF, uint32(0))],
    ['CHANNEL_CLOSE', message(MESSAGE.CHANNEL_CLOSE, uint32(0))],
    ['CHANNEL_REQUEST', channelRequest(0, 'exec', true, string('id'))],
    ['OpenSSH’s PING (192)', message(192, string('x'))],
    ['an unknown one (255)', message(255)],
  ])('%s ends the connection', async (_name, payload) => {
    const client = await door.connect();
    client.requestService();
    await client.next(MESSAGE.SERVICE_ACCEPT);
    client.send(payload);
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'message-before-login');
    expectNothingReached();
    await door.expectHonestServed();
  });

  test('and the command that comes behind it does not run', async () => {
    const client = await door.connect();
    client.requestService();
    const exec = channelRequest(0, 'exec', true, string('id'));
    client.send(message(MESSAGE.USERAUTH_SUCCESS), openSession(0), exec);
    await expectTurnedAway(client, REASON.PROTOCOL_ERROR, 'message-before-login');
    expectNothingReached();
    await door.expectHonestServed();
  });

  test('nor does it in clear, before any keys', async () => {
    const client = await door.dial();
    client.identify();
    client.send(openSession(0), channelRequest(0, 'exec', true, string('id')));
    await client.closed();
    expectNothingReached();
    await door.expectHonestServed();
  });

  test('and what has a place is taken as it comes', async () => {
    const client = await door.connect();
    client.send(
      message(MESSAGE.EXT_INFO, uint32(0)),
      message(MESSAGE.IGNORE, string('noise')),
      message(MESSAGE.UNIMPLEMENTED, uint32(0)),
      message(MESSAGE.DEBUG, boolean(false), string('a word'), string('')),
    );
    client.requestService();
    client.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
  });
});

describe('a stranger that asks and does not read the answers', () => {
  // Attack: never read the socket, and send requests that want a reply. It costs 40 to 55 MB sent in 15 s. Bare ssh2
  // answers them before the log-in and keeps the answers: 114 to 127 MB more in its memory, from one connection of a
  // stranger. gitmouth ends the connection at the first of them.
  test.each([
    ['global requests', HostileClient.globalRequest()],
    ['channels', openSession(0)],
  ])('of %s has none of them held', async (_what, payload) => {
    const client = await door.connect();
    client.pause();
    void client.flood(() => payload, 200_000);
    const most = await door.mostUnsentUntilGone(client);
    expect(most).toBeLessThan(4 * 1024);
    expect(await door.reasonOf(client)).toBe('message-before-login');
    await door.expectHonestServed();
  });

  // Attack: the same by what a stranger may ask for, in the largest answers there are: keys that are known, of 16384
  // bits, which come back in each answer. With the default of 20 offers this gets nowhere; here as many as one likes
  // are allowed, and gitmouth cuts the connection when `unreadBytesBeforeLogin` are waiting.
  test('of keys has no more held than the limit', async () => {
    await door.close();
    door = await AttackGround.open({ offers: 1e6 });
    door.inside.gateway.platform.register('giant', GIANT.publicKey);
    const client = await door.connect();
    client.requestService();
    client.send(offer({ algorithm: 'rsa-sha2-512', blob: GIANT.blob }));
    await client.next(MESSAGE.USERAUTH_PK_OK);
    client.pause();
    const most = door.mostUnsentUntilGone(client);
    void offerAgainAndAgain(client);
    await door.expectHonestServed();
    expect(await most).toBeLessThan(MEBIBYTE / 2);
    expect(await most).toBeGreaterThan(MEBIBYTE / 8);
    expect(await door.reasonOf(client)).toBe('unread-output');
  });

  /** As fast as they are answered: more than ten at once would be too many. */
  async function offerAgainAndAgain(client: HostileClient): Promise<void> {
    const offers = Array.from({ length: 8 }, () => offer({ algorithm: 'rsa-sha2-512', blob: GIANT.blob }));
    const server = door.serverSide(client);
    while (!server.closed) {
      const due = server.bytesWritten + offers.length * GIANT.blob.length;
      client.send(...offers);
      while (server.bytesWritten < due && !server.closed) await sleep(1);
    }
  }

  test('of the log-in’s service over and over is answered once', async () => {
    const client = await door.connect();
    client.requestService();
    await client.next(MESSAGE.SERVICE_ACCEPT);
    const before = door.serverSide(client).bytesWritten;
    await client.flood(() => message(MESSAGE.SERVICE_REQUEST, string('ssh-userauth')), 10_000);
    await door.expectHonestServed();
    expect(door.serverSide(client).bytesWritten - before).toBeLessThan(1024);
  });
});
