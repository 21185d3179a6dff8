/** Those who never log in (weakness 7 of docs/hardening.md): every stage of the log-in has an end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { HostileClient } from '../../../support/hostile/client.js';
import { kexInit } from '../../../support/hostile/key-exchange.js';
import { MESSAGE, message, string } from '../../../support/ssh-bytes.js';
import { makePair } from '../ground.js';
import { AttackGround, expectTurnedAway, REASON } from './attack-ground.js';

const IDENTIFICATION_MS = 1_000;
const LOGIN_MS = 2_500;
/** More than any healthy machine is late. */
const SLACK_MS = 5_000;
const ATTACKERS = 10;
const DRIP_MS = 100;

const stranger = makePair();
let door: AttackGround;

beforeEach(async () => {
  door = await AttackGround.open({ identificationMs: IDENTIFICATION_MS, loginMs: LOGIN_MS, failedTries: 1_000 });
});

afterEach(() => door.close());

/** Does something again and again for as long as it is let. */
async function drip(client: HostileClient, once: () => void): Promise<void> {
  while (!client.isClosed) {
    once();
    await sleep(DRIP_MS);
  }
}

/** Many at once; each is ended in its time, and not before. */
async function expectEnded(begin: () => Promise<HostileClient>, dueMs: number) {
  const since = performance.now();
  const clients = await Promise.all(Array.from({ length: ATTACKERS }, begin));
  const ends = clients.map(async (client) => {
    await client.closed(dueMs + SLACK_MS);
    return performance.now() - since;
  });
  await door.expectHonestServed();
  for (const end of await Promise.all(ends)) {
    expect(end).toBeGreaterThan(dueMs - DRIP_MS);
    expect(end).toBeLessThan(dueMs + SLACK_MS);
  }
  return clients;
}

describe('a client without an identification line', () => {
  // Attack: connect and say nothing, or not enough. It costs a TCP connection and no byte more. Bare ssh2: still open
  // when the test stopped looking, after 192 to 339 s; a thousand of them are a thousand sockets for good. gitmouth
  // closes after `identificationMs`, with the words for whoever can read them.
  test.each([
    ['says nothing', () => undefined],
    ['begins its line and leaves it', (client: HostileClient) => client.raw('SSH-2.0-hal')],
    ['sends its line byte by byte, and never all', (client: HostileClient) => void drip(client, () => client.raw('S'))],
  ])('that %s is closed when the time for that is over', async (_what, begin) => {
    const clients = await expectEnded(async () => {
      const client = await door.dial();
      begin(client);
      return client;
    }, IDENTIFICATION_MS);
    for (const client of clients) {
      expect(client.serverIdentification).toMatch(/^SSH-2\.0-/);
      await expectTurnedAway(client, REASON.BY_APPLICATION, 'identification-timeout');
    }
  });
});

describe('a client that does not log in', () => {
  // Attack: go one step into the log-in and stop there, or keep busy without getting on. It costs some packets a minute.
  // Bare ssh2: its keepalive starts at the log-in, so that these stay for good (still open after 192 to 339 s). gitmouth
  // ends them `loginMs` after they connected, whatever they send, and says why.
  test.each([
    ['sends its identification line alone', identify],
    ['begins its half of the key exchange, cut off', beginKexInit],
    ['exchanges keys and says no more', async () => undefined],
    ['asks for the log-in and says no more', async (client: HostileClient) => client.requestService()],
    ['drips messages to be ignored', ignore],
    ['fails now and then', fail],
  ])('and %s is told that its time is over', async (_what, attack) => {
    const handshakes = attack !== identify && attack !== beginKexInit;
    const clients = await expectEnded(async () => {
      const client = handshakes ? await door.connect() : await door.dial();
      void attack(client);
      return client;
    }, LOGIN_MS);
    for (const client of clients) await expectTurnedAway(client, REASON.BY_APPLICATION, 'login-timeout');
  });

  async function identify(client: HostileClient): Promise<void> {
    client.identify();
  }

  async function beginKexInit(client: HostileClient): Promise<void> {
    client.identify();
    client.raw(client.sealed(kexInit()).subarray(0, 20));
  }

  async function ignore(client: HostileClient): Promise<void> {
    await drip(client, () => client.send(message(MESSAGE.IGNORE, string('still here'))));
  }

  async function fail(client: HostileClient): Promise<void> {
    client.requestService();
    await drip(client, () => client.prove({ algorithm: 'ssh-ed25519', blob: stranger.blob }, stranger));
  }
});

test('the deadline of the log-in is none for whoever has logged in', async () => {
  const client = await door.logIn();
  await sleep(LOGIN_MS + 500);
  await client.exec(await client.open(), 'run');
  expect(client.isClosed).toBe(false);
});
