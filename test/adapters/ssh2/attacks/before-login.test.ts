/** What strangers may say (weakness 11 of PROTECTIONS.md, section 3), and what they may have held for them (5). */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HostileClient } from '../../../support/hostile/client.js';
import { boolean, channelRequest, MESSAGE, message, openSession, string, uint32 } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, MEBIBYTE, REASON } from './attack-ground.js';

let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open();
});

afterEach(() => door.close());

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
    await door.expectHonestServed();
  });

  // Attack: the same by what a stranger may ask for, again and again. gitmouth cuts the connection when
  // `unreadBytesBeforeLogin` are waiting.
  test('of services has no more held than the limit', async () => {
    const client = await door.connect();
    client.pause();
    void client.flood(() => message(MESSAGE.SERVICE_REQUEST, string('ssh-userauth')), 400_000);
    const served = door.expectHonestServed();
    const most = await door.mostUnsentUntilGone(client);
    expect(most).toBeLessThan(MEBIBYTE / 2);
    await served;
  });
});
