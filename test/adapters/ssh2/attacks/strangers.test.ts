/** How many may knock at once (docs/hardening.md): a flood of connections shuts nobody else out. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { turnedAwayLine, type TurnedAway } from '../../../../src/domain/words/turned-away.js';
import { until } from '../../../../src/contracts/contract.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { MESSAGE, Reader } from '../../../support/ssh-bytes.js';
import { AttackGround, expectTurnedAway, REASON } from './attack-ground.js';

let door: AttackGround;

afterEach(() => door.close());

/** Of those who were turned away, how many were told this. */
function toldSo(clients: readonly HostileClient[], why: TurnedAway): number {
  const words = clients.flatMap(({ received }) => received).filter(([type]) => type === MESSAGE.DISCONNECT);
  return words.filter((payload) => {
    const reader = new Reader(payload);
    return reader.uint32() === REASON.TOO_MANY && reader.text() === turnedAwayLine(why);
  }).length;
}

describe('a flood of connections that never log in', () => {
  // Attack: open connections and leave them. It costs a TCP connection each. Bare ssh2 takes them all, each for good.

  test('from one address gets that address’s share and no more', async () => {
    // gitmouth gives one source `unauthenticatedPerSource`; above that one of its own goes, at random, and is told why.
    const [share, most] = [8, 60];
    door = await AttackGround.open({ unauthenticatedPerSource: share });
    const clients = await Promise.all(Array.from({ length: most }, () => door.dial()));
    await door.expectHonestServed();
    await until(() => clients.filter(({ isClosed }) => !isClosed).length === share, 'the others are turned away');
    expect(toldSo(clients, 'too-many-strangers')).toBe(most - share);
  });

  test('from one address leaves a way in for its honest neighbours', async () => {
    const share = 16;
    door = await AttackGround.open({ unauthenticatedPerSource: share });
    await Promise.all(Array.from({ length: share }, () => door.dial()));
    await door.expectHonestServed();
    // Chance may hit the newcomer itself, once in seventeen times.
    let isServed = false;
    for (let tries = 0; tries < 5 && !isServed; tries++) isServed = await door.isHonestServed('127.0.0.1');
    expect(isServed).toBe(true);
  });

  test('from many addresses gets no more than the places of all strangers', async () => {
    // gitmouth drops at random from `unauthenticatedDropFrom` on and all from `unauthenticated` on, as OpenSSH's
    // MaxStartups does; who is dropped is told so, and a patient user gets in.
    const most = 20;
    door = await AttackGround.open({
      unauthenticated: most,
      unauthenticatedDropFrom: 10,
      unauthenticatedPerSource: 2,
      identificationMs: 3_000,
    });
    const guest = await door.logIn({ from: '127.0.0.3' });
    const sources = Array.from({ length: 50 }, (_, at) => `127.0.1.${at + 1}`);
    const clients = await Promise.all(sources.map((from) => door.dial({ from })));
    await guest.exec(await guest.open());
    await until(() => toldSo(clients, 'too-many-strangers') >= sources.length - most, 'the others are turned away');
    expect(clients.filter(({ isClosed }) => !isClosed).length).toBeGreaterThan(5);
    await until(() => door.isHonestServed(), 'a patient user is served');
  });
});

test('more connections than the server takes are refused in words, and those that are in are served', async () => {
  // Attack: log in, often enough to use up all that the machine has. Bare ssh2 knows no number.
  door = await AttackGround.open({ connections: 3 });
  const inside = await Promise.all([1, 2, 3].map(() => door.logIn()));
  const refused = await door.dial();
  await expectTurnedAway(refused, REASON.TOO_MANY, 'too-many-connections');
  for (const client of inside) await client.exec(await client.open());
  await inside[0]?.close();
  await until(() => door.isHonestServed(), 'a place that was given back is taken');
});

test('more connections than a user may have are refused in words after the log-in', async () => {
  door = await AttackGround.open({ connectionsPerUser: 3 });
  const inside = await Promise.all([1, 2, 3].map(() => door.logIn()));
  const refused = await door.connect();
  refused.requestService();
  refused.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
  await expectTurnedAway(refused, REASON.TOO_MANY, 'too-many-connections-of-user');
  await door.expectHonestServed();
  for (const client of inside) await client.exec(await client.open());
  await inside[0]?.close();
  await until(() => door.inside.observer.ofType('connection-closed').length >= 2, 'a place is given back');
  await door.logIn();
});

test('sixty-four honest clients of one address that come in one moment are all let in', async () => {
  door = await AttackGround.open();
  const clients = await Promise.all(Array.from({ length: 64 }, () => door.logIn({ from: '127.0.0.9' })));
  for (const client of clients) await client.exec(await client.open());
  expect(door.inside.observer.ofType('connections-refused')).toEqual([]);
});
