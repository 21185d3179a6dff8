/** The PROXY protocol: whose word is taken for whom a connection is, and what counts for whom from then on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { MemoryObserver } from '../../../../src/adapters/memory/index.js';
import { until } from '../../../../src/contracts/contract.js';
import { parseNetwork } from '../../../../src/domain/networks.js';
import type { TurnedAway } from '../../../../src/domain/words/turned-away.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { LOCAL, v1, v2, v2Of, type End } from '../../../support/proxy-header.js';
import { penaltyBook } from '../ground.js';
import { AttackGround, expectTurnedAway, REASON } from './attack-ground.js';

/** Between two pieces, so that they arrive as two. */
const PIECE_MS = 3;
const PROXY = '127.0.0.10';
const ALICE: End = { address: '203.0.113.7', port: 50_007 };
const BOB: End = { address: '2001:db8::b0b', port: 50_008 };
const IDENTIFICATION = 'SSH-2.0-client\r\n';

let door: AttackGround;

afterEach(() => door.close());

/** A door with this one proxy in front. */
function open(
  limits: Parameters<typeof AttackGround.open>[0] = {},
  { headerMs = 5_000, ...options }: Parameters<typeof AttackGround.open>[1] & { headerMs?: number } = {},
): Promise<AttackGround> {
  const from = [parseNetwork(`${PROXY}/32`)].flatMap((network) => network ?? []);
  return AttackGround.open(limits, { proxies: { from, headerMs }, ...options });
}

function told(type: 'connection-opened' | 'connection-closed' | 'connections-refused' | 'login-succeeded') {
  return door.inside.observer.ofType(type);
}

async function sendInPieces(client: HostileClient, bytes: Buffer, size = 1): Promise<void> {
  for (let at = 0; at < bytes.length && !client.isClosed; at += size) {
    client.raw(bytes.subarray(at, at + size));
    await sleep(PIECE_MS);
  }
}

async function expectLogsIn(client: HostileClient): Promise<void> {
  await client.exchangeKeys();
  client.requestService();
  client.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
  await until(() => told('login-succeeded').length > 0, 'the log-in is told');
}

async function expectRefused(client: HostileClient, why: TurnedAway, reason = REASON.PROTOCOL_ERROR): Promise<void> {
  await expectTurnedAway(client, reason, why);
}

describe('a header of an address that is not listed', () => {
  // Attack: say to be somebody else, so that limits, penalties and the log name them.
  test.each([
    ['version 1', v1(ALICE)],
    ['version 2', v2(ALICE)],
    ['version 2, of its own', LOCAL],
    ['one that is none', Buffer.from('PROXY nonsense\r\n')],
  ])('of %s, is refused and counts for nothing', async (_, header) => {
    door = await open();
    const client = await door.dial();
    client.raw(header);
    await expectRefused(client, 'untrusted-proxy');
    expect(told('connection-opened')).toMatchObject([{ address: '127.0.0.1', port: client.localPort }]);
    expect(told('connection-opened')[0]).not.toHaveProperty('via');
    await until(() => told('connection-closed').length > 0, 'its end is told');
    expect(told('connection-closed')).toMatchObject([{ address: '127.0.0.1', reason: 'untrusted-proxy' }]);
  });

  test.each([v1(ALICE), v2(ALICE)])('and that comes in pieces is refused, too', async (header) => {
    door = await open();
    const client = await door.dial();
    await sendInPieces(client, header.subarray(0, 13));
    await expectRefused(client, 'untrusted-proxy');
  });

  test.each([v1(ALICE), v2(ALICE), LOCAL])('is a bad first line where no proxy is listed', async (header) => {
    door = await AttackGround.open();
    const client = await door.dial();
    client.raw(header);
    await expectRefused(client, 'bad-identification');
  });

  test('is held against it', async () => {
    const events = new MemoryObserver();
    door = await open({}, { strangers: penaltyBook(events, { minMs: 1 }) });
    const client = await door.dial({ header: v1(ALICE) });
    await client.closed();
    await until(() => events.ofType('penalty-began').length > 0, 'a penalty begins');
    expect(events.ofType('penalty-began')).toMatchObject([{ subject: '127.0.0.1', offence: 'broken-protocol' }]);
  });
});

test('an address that is not listed, and sends none, is served as itself', async () => {
  door = await open();
  await door.logIn({ from: '127.0.0.11' });
  expect(told('connection-opened')).toMatchObject([{ address: '127.0.0.11' }]);
});

test.each(['P', 'PROX', '\r', '\r\n\r\n'])(
  'a first line that begins as a header (%j) and is none is a bad one',
  async (text) => {
    door = await open();
    const client = await door.dial();
    client.raw(text);
    await sleep(PIECE_MS);
    client.raw(IDENTIFICATION);
    await expectRefused(client, 'bad-identification');
  },
);

describe('a listed proxy', () => {
  test.each([
    ['no header', 'no-proxy-header', IDENTIFICATION],
    ['what begins as one', 'no-proxy-header', 'PROXIMITY\r\n'],
    ['a header that is none', 'bad-proxy-header', 'PROXY TCP4 1.2.3.4\r\n'],
    ['one of another version', 'bad-proxy-header', v2Of(0x31, 0x11, Buffer.alloc(12))],
  ] as const)('that sends %s is refused: %s', async (_, why, sent) => {
    door = await open();
    const client = await door.dial({ from: PROXY });
    client.raw(sent);
    await expectRefused(client, why);
    expect(told('connections-refused')).toEqual([
      { type: 'connections-refused', reason: why, count: 1, address: PROXY },
    ]);
    expect(told('connection-opened')).toEqual([]);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', v2(ALICE).subarray(0, 20)],
  ])('that sends %s is refused in time', async (_, sent) => {
    door = await open({}, { headerMs: 100 });
    const client = await door.dial({ from: PROXY, header: sent });
    await expectRefused(client, 'proxy-header-timeout', REASON.BY_APPLICATION);
    expect(told('connections-refused')).toMatchObject([{ reason: 'proxy-header-timeout', address: PROXY }]);
  });

  test('has the time for its header, whatever it sends meanwhile', async () => {
    door = await open({}, { headerMs: 100 });
    const client = await door.dial({ from: PROXY });
    await sendInPieces(client, Buffer.from(`PROXY UNKNOWN ${'x'.repeat(90)}`));
    await expectRefused(client, 'proxy-header-timeout', REASON.BY_APPLICATION);
  });

  test.each([
    ['version 1', ALICE, v1(ALICE)],
    ['version 2', ALICE, v2(ALICE)],
    ['version 1 of IPv6', BOB, v1(BOB)],
    ['version 2 of IPv6', BOB, v2(BOB, Buffer.from('ea000400000001', 'hex'))],
    ['version 1 of IPv4 in IPv6', ALICE, v1({ ...ALICE, address: `::ffff:${ALICE.address}` })],
    ['version 2 of IPv4 in IPv6', ALICE, v2({ ...ALICE, address: `::ffff:${ALICE.address}` })],
  ])('that says by %s whom it connects for is believed', async (_, who, header) => {
    door = await open();
    const client = await door.dial({ from: PROXY });
    // In one piece with what the client says.
    client.knownAs('SSH-2.0-client');
    client.raw(Buffer.concat([header, Buffer.from(IDENTIFICATION)]));
    await expectLogsIn(client);
    expect(told('connection-opened')).toMatchObject([{ ...who, via: PROXY }]);
    expect(told('login-succeeded')).toMatchObject([{ address: who.address, user: 'mallory' }]);
    expect(door.inside.gateway.connections.list()[0]?.caller.connection).toMatchObject(who);
  });

  test.each([1, 5])('is believed when what it sends comes in pieces of %i bytes', async (size) => {
    door = await open();
    const client = await door.dial({ from: PROXY });
    client.knownAs('SSH-2.0-client');
    await sendInPieces(client, Buffer.concat([v2(ALICE), Buffer.from(IDENTIFICATION)]), size);
    await expectLogsIn(client);
    expect(told('connection-opened')).toMatchObject([{ ...ALICE, via: PROXY }]);
  });

  test.each([
    ['for itself', LOCAL],
    ['for it does not know whom', Buffer.from('PROXY UNKNOWN\r\n')],
    ['for somebody at a UNIX socket', v2Of(0x21, 0x31, Buffer.alloc(216))],
  ])('that connects %s is served as itself', async (_, header) => {
    door = await open();
    await door.logIn({ from: PROXY, header });
    expect(told('connection-opened')).toMatchObject([{ address: PROXY }]);
    expect(told('connection-opened')[0]).not.toHaveProperty('via');
  });

  test('may send one header, and no second', async () => {
    door = await open();
    const client = await door.dial({ from: PROXY, header: Buffer.concat([v2(ALICE), v2(BOB)]) });
    await expectRefused(client, 'untrusted-proxy');
    await until(() => told('connection-closed').length > 0, 'its end is told');
    expect(told('connection-closed')).toMatchObject([{ address: ALICE.address }]);
  });
});

describe('a health check', () => {
  test.each([
    ['connects and goes', Buffer.alloc(0), 0],
    ['says that it is one, and goes', LOCAL, 0],
    ['says that it is one, waits for the server’s line, and goes', LOCAL, 1],
  ])('that %s costs nobody anything', async (_, header, hasToAnswer) => {
    const events = new MemoryObserver();
    door = await open({}, { strangers: penaltyBook(events, { minMs: 1 }) });
    for (let check = 0; check < 3; check++) {
      const client = await door.dial({ from: PROXY, header });
      if (hasToAnswer === 1) await until(() => client.serverIdentification !== undefined, 'the server says its line');
      client.socket.end();
      await client.closed();
    }
    await until(() => door.openConnections === 0, 'all are closed');
    expect(told('connections-refused')).toEqual([]);
    expect(events.events).toEqual([]);
    for (const closed of told('connection-closed')) expect(closed).not.toHaveProperty('reason');
  });
});

describe('behind one proxy', () => {
  test('each client has a count of its own', async () => {
    door = await open({ unauthenticatedPerSource: 1 });
    const dial = (who: End) => door.dial({ from: PROXY, header: v2(who) });
    const isLetIn = (...whom: readonly End[]) =>
      until(() => told('connection-opened').length === whom.length, 'they are let in').then(() => {
        expect(told('connection-opened')).toMatchObject(whom.map(({ address }) => ({ address })));
      });
    const first = await dial(ALICE);
    await isLetIn(ALICE);
    await dial({ ...ALICE, port: 2 });
    await dial(BOB);
    await isLetIn(ALICE, BOB);
    await first.close();
    await isLetIn(ALICE, BOB, ALICE);
  });

  test('any number may wait for their headers, up to that of all connections, and is nobody’s yet', async () => {
    door = await open({ unauthenticatedPerSource: 1, connections: 6 });
    const waiting = await Promise.all(Array.from({ length: 6 }, () => door.dial({ from: PROXY })));
    const refused = await door.dial({ from: PROXY });
    await expectRefused(refused, 'too-many-connections', REASON.TOO_MANY);
    for (const [at, client] of waiting.entries()) client.raw(v1({ address: `203.0.113.${at + 1}`, port: 1 }));
    await until(() => told('connection-opened').length === 6, 'all are let in');
    expect(waiting.some(({ isClosed }) => isClosed)).toBe(false);
  });

  test.each([
    ['says nothing', Buffer.alloc(0)],
    ['sends what is no header', Buffer.from('PROXY x\r\n')],
    ['says whom it is for', v2(ALICE)],
  ])('the place of one that %s is given back when it is gone', async (_, header) => {
    door = await open({ connections: 1 });
    const client = await door.dial({ from: PROXY, header });
    await until(() => client.serverIdentification !== undefined || header.length === 0, 'it is answered');
    await client.close();
    await until(() => door.openConnections === 0, 'it is closed');
    await door.logIn({ from: PROXY, header: v2(BOB) });
  });

  test('one who does wrong is held to less, and the proxy and the others are not', async () => {
    const events = new MemoryObserver();
    door = await open({}, { strangers: penaltyBook(events, { minMs: 1 }) });
    const client = await door.dial({ from: PROXY, header: v2(ALICE) });
    client.raw('GET / HTTP/1.1\r\n');
    await client.closed();
    await until(() => events.ofType('penalty-began').length > 0, 'a penalty begins');
    expect(events.ofType('penalty-began')).toMatchObject([{ subject: ALICE.address, offence: 'broken-protocol' }]);
  });
});

test('who waits for a header holds up no end', async () => {
  door = await open({}, { headerMs: 60_000 });
  const client = await door.dial({ from: PROXY });
  await until(() => door.openConnections === 1, 'it is accepted');
  door.inside.server.stopListening();
  await door.inside.server.endConnections('over');
  expect(door.openConnections).toBe(0);
  await client.closed();
});
