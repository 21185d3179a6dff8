/** Guessing that goes on from connection to connection: who is held to less for it, and who is not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { MemoryClock, MemoryObserver, MemoryPenalties } from '../../../../src/adapters/memory/index.js';
import { SystemClock } from '../../../../src/adapters/system/clock.js';
import { until } from '../../../../src/contracts/contract.js';
import type { AdmissionLimits } from '../../../../src/domain/admission-policy.js';
import { Fault } from '../../../../src/domain/fault.js';
import { subjectText, type Penalty, type PenaltyRules } from '../../../../src/domain/penalty-policy.js';
import { turnedAwayLine } from '../../../../src/domain/words/turned-away.js';
import type { Clock } from '../../../../src/ports/clock.js';
import type { HostileClient } from '../../../support/hostile/client.js';
import { needs } from '../../../support/programs.js';
import { message, MESSAGE, offer, openSession, string } from '../../../support/ssh-bytes.js';
import { makePair, penaltyBook } from '../ground.js';
import { generateKey, openssh } from '../openssh.js';
import { AttackGround } from './attack-ground.js';

const ATTACKER = '127.0.0.7';
const TRIES = 6;
const FAILED_MS = 5_000;

const stranger = makePair();
const ofStranger = { algorithm: 'ssh-ed25519', blob: stranger.blob };

let door: AttackGround;
let penalties: MemoryPenalties;
let events: MemoryObserver;

afterEach(() => door.close());

async function open(
  limits: Partial<AdmissionLimits> = {},
  rules: Partial<PenaltyRules> = {},
  clock: Clock = new SystemClock(),
): Promise<void> {
  events = new MemoryObserver();
  penalties = new MemoryPenalties(clock);
  const strangers = penaltyBook(events, rules, clock, penalties);
  door = await AttackGround.open({ failureDelayMs: 1, ...limits }, { strangers, clock });
}

async function begin(from = ATTACKER): Promise<HostileClient> {
  const client = await door.connect({ from });
  client.requestService();
  await client.next(MESSAGE.SERVICE_ACCEPT);
  return client;
}

/** Guesses over one connection until that ends. @returns how often, and what was said at the end. */
async function guess(from = ATTACKER, request = ofStranger): Promise<{ tries: number; words: string }> {
  const client = await begin(from);
  for (let tries = 1; ; tries++) {
    client.prove(request, stranger);
    if ((await client.next(MESSAGE.USERAUTH_FAILURE, MESSAGE.DISCONNECT))[0] === MESSAGE.USERAUTH_FAILURE) continue;
    const words = client.received.at(-1)?.toString('utf8') ?? '';
    await client.closed();
    return { tries, words };
  }
}

async function held(): Promise<readonly string[]> {
  return (await penalties.list()).map(({ subject, isEnforced }) => `${subjectText(subject)} ${isEnforced}`);
}

describe('an address from which log-ins fail again and again', () => {
  test('has one try a connection from then on, and is told for how long', async () => {
    // Attack: six guesses, connect anew, six guesses, for days. Nothing but the connection was ever held against anybody.
    await open();
    expect((await guess()).tries).toBe(TRIES);
    expect(await held()).toEqual([`${ATTACKER} true`]);
    expect(events.ofType('penalty-began')).toMatchObject([{ subject: ATTACKER, offence: 'failed-login' }]);
    const { tries, words } = await guess();
    expect(tries).toBe(1);
    expect(words).toMatch(/Too much has failed from your address\. Try again in (3[0-5]|2\d) seconds\./);
    await until(() => door.inside.observer.ofType('connection-closed').length === 2, 'its end is told');
    const [first, second] = door.inside.observer.ofType('connection-closed');
    expect(first).toMatchObject({ reason: 'too-many-failures', restrictedUntil: expect.any(Number) });
    expect(second).toMatchObject({ reason: 'too-many-failures', restrictedUntil: expect.any(Number) });
  });

  test('has fewer offers', async () => {
    await open({ offers: 20 });
    await guess();
    const client = await begin();
    for (let n = 0; n < 8; n++) client.send(offer({ algorithm: 'ssh-ed25519', blob: makePair().blob }));
    await client.closed();
    expect(client.count(MESSAGE.USERAUTH_FAILURE)).toBe(6);
  });

  test('still lets in whoever holds a registered key, at once, while the guessing goes on', async () => {
    // Attack: guess from the address that a company's people share, so that they are shut out.
    await open();
    await guess();
    let isOver = false;
    const guessing = Array.from({ length: 4 }, async () => {
      while (!isOver) expect((await guess()).tries).toBe(1);
    });
    const times: number[] = [];
    for (let visit = 0; visit < 5; visit++) {
      const since = performance.now();
      expect(await door.isHonestServed(ATTACKER)).toBe(true);
      times.push(performance.now() - since);
    }
    isOver = true;
    await Promise.all(guessing);
    expect(times.sort((a, b) => a - b)[2]).toBeLessThan(1_000);
    expect(await held()).toEqual([`${ATTACKER} true`]);
  });

  test('is as any other again when the time that was told is over, and not before', async () => {
    const memory = new MemoryClock();
    const system = new SystemClock();
    const now = () => memory.now();
    await open({}, {}, { now, monotonic: () => system.monotonic(), sleep: (ms, signal) => system.sleep(ms, signal) });
    await guess();
    await memory.advance(TRIES * FAILED_MS * 0.9);
    const client = await begin();
    client.prove(ofStranger, stranger);
    await client.closed();
    // One try more, on top of what was left.
    await memory.advance(TRIES * FAILED_MS * 0.1 + FAILED_MS);
    expect((await guess()).tries).toBe(TRIES);
  });

  test('is held to nothing where it is exempt', async () => {
    await open({}, { exempt: ['192.0.2.1', '127.0.0.4/30'] });
    for (let times = 0; times < 3; times++) expect((await guess()).tries).toBe(TRIES);
    expect(await held()).toEqual([]);
    await guess('127.0.0.8');
    expect(await held()).toEqual(['127.0.0.8 true']);
  });

  test('is charged for what breaks the protocol as well', async () => {
    await open();
    for (let times = 0; times < 2; times++) {
      const client = await begin();
      client.send(openSession(0));
      await client.closed();
    }
    await until(async () => (await held()).includes(`${ATTACKER} true`), 'it is enforced');
    expect(events.ofType('penalty-began')).toMatchObject([{ offence: 'broken-protocol' }]);
  });
});

test('a key that is named with bad signatures is held against nobody but who does so', async () => {
  // Attack: name the victim's public key, which is no secret, with signatures that are none, until the victim is
  // locked out.
  await open();
  for (let times = 0; times < 3; times++) {
    const { tries } = await guess(ATTACKER, { algorithm: 'ssh-ed25519', blob: door.key.blob });
    expect(tries).toBe(times === 0 ? TRIES : 1);
  }
  expect(await held()).toEqual([`${ATTACKER} true`]);
  await door.logIn({ from: ATTACKER });
  await door.logIn();
});

describe('nothing is held against', () => {
  test('whoever comes and goes without a word, as load balancers do', async () => {
    await open();
    for (let times = 0; times < 3; times++) await (await door.dial({ from: ATTACKER })).close();
    await (await door.connect({ from: ATTACKER })).close();
    await until(() => door.inside.observer.ofType('connection-closed').length === 4, 'all are closed');
    expect(await held()).toEqual([]);
  });

  test('whoever fails and then succeeds', async () => {
    await open();
    const client = await begin();
    for (let tries = 0; tries < 3; tries++) {
      client.prove(ofStranger, stranger);
      await client.next(MESSAGE.USERAUTH_FAILURE);
    }
    client.prove({ algorithm: 'ssh-ed25519', blob: door.key.blob }, door.key);
    await client.next(MESSAGE.USERAUTH_SUCCESS);
    await client.close();
    await until(() => door.inside.observer.ofType('connection-closed').length === 1, 'it is closed');
    expect(await held()).toEqual([]);
  });

  test('a stranger whose key could not be looked up, for an outage of the platform', async () => {
    await open();
    door.inside.gateway.authenticator.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'away'));
    const client = await begin();
    client.send(offer(ofStranger));
    await client.closed();
    expect(await held()).toEqual([]);
  });

  test('those who are there when the server stops', async () => {
    await open();
    const client = await begin();
    client.send(offer(ofStranger));
    await client.next(MESSAGE.USERAUTH_FAILURE);
    await door.inside.server.endConnections('over');
    expect(await held()).toEqual([]);
  });
});

test('offers of unknown keys, and nothing else, cost little and are told once in the log', async () => {
  await open();
  const client = await begin();
  client.send(message(MESSAGE.USERAUTH_REQUEST, string('git'), string('ssh-connection'), string('none')));
  for (const pair of [makePair(), stranger]) {
    client.send(offer({ algorithm: 'ssh-ed25519', blob: pair.blob }));
    await client.next(MESSAGE.USERAUTH_FAILURE);
  }
  await client.next(MESSAGE.USERAUTH_FAILURE);
  await client.close();
  await until(async () => (await held()).length > 0, 'it is charged');
  const [penalty] = await penalties.list();
  expect(penalty).toMatchObject({ isEnforced: false, offence: 'no-login' });
  expect(door.inside.observer.ofType('login-failed')).toMatchObject([
    { reason: 'no-login', address: ATTACKER, login: 'git', fingerprint: stranger.fingerprint },
  ]);
});

test('a state that is away keeps nobody out, holds nobody up, and is told of once', async () => {
  await open();
  penalties.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'away'));
  for (let times = 0; times < 3; times++) expect((await guess()).tries).toBe(TRIES);
  await door.expectHonestServed();
  expect(events.ofType('fault')).toHaveLength(1);
  expect(door.inside.observer.ofType('fault')).toEqual([]);
});

test('what is known late of an address changes nothing for who has logged in meanwhile', async () => {
  let tell: (penalty: Penalty) => void = () => undefined;
  const known = new Promise<Penalty>((resolve) => (tell = resolve));
  const loginMs = 500;
  door = await AttackGround.open({ loginMs }, { strangers: { of: () => known, ended: () => undefined } });
  const client = await door.logIn();
  tell({ until: Date.now() + 60_000, isEnforced: true, offence: 'failed-login' });
  await sleep(2 * loginMs);
  await client.exec(await client.open());
});

const { test: withOpenSsh } = needs('ssh', 'ssh-keygen');

withOpenSsh(
  'a client with five unknown keys before the right one is charged nothing, and told of nowhere',
  async () => {
    await open();
    const keys = await Promise.all(Array.from({ length: 6 }, () => generateKey('-t', 'ed25519')));
    const right = keys.at(-1);
    const [first] = keys;
    if (right === undefined || first === undefined) throw new Error('six keys');
    door.inside.gateway.platform.register('honest', right.publicKey);
    for (let visit = 0; visit < 4; visit++) {
      const options = keys.slice(1).flatMap(({ path }) => ['-i', path]);
      expect(await openssh(door.inside, first.path, { options })).toMatchObject({
        code: 0,
        stdout: `honest ${right.fingerprint}\n`,
      });
    }
    expect(door.inside.gateway.lookups).toContain(first.fingerprint);
    expect(door.inside.observer.ofType('login-failed')).toEqual([]);
    expect(await held()).toEqual([]);
  },
);

withOpenSsh('a real client with the wrong key reads when to try again', async () => {
  await open();
  await guess('127.0.0.1');
  const [first, ...others] = await Promise.all(Array.from({ length: 7 }, () => generateKey('-t', 'ed25519')));
  const options = others.flatMap(({ path }) => ['-i', path]);
  const { code, stderr } = await openssh(door.inside, first?.path ?? '', { options });
  expect(code).toBe(255);
  expect(stderr).toContain(turnedAwayLine('too-many-offers'));
  expect(stderr).toMatch(/Try again in 3\d seconds\./);
});
