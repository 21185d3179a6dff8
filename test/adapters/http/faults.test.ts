/** One row for each way a platform's API can fail, and each call it can fail in: what comes of it. */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { PlatformClient } from '../../../src/adapters/http/platform-client.js';
import { HttpProvisioner } from '../../../src/adapters/http/http-provisioner.js';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { MemoryObserver } from '../../../src/adapters/memory/observer.js';
import { never, until } from '../../../src/contracts/contract.js';
import { sampleSession } from '../../../src/contracts/samples.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Misbehaviour } from '../../support/openruko/misbehaviour.js';
import { PlatformServer } from '../../support/platform/platform-server.js';
import { needs } from '../../support/programs.js';
import { ask, everythingIn, grant, lease, outcomeOf, QUESTIONS, RAN, USAGE } from './asking.js';
import { caller, openGround, settingsFor } from './ground.js';

const { test, describe } = needs('openssl');

const STAGES = {
  findUser: 'identify',
  authorize: 'authorize',
  listApps: 'authorize',
  openSession: 'provision',
} as const;
const DOWN = 'GM_UNAVAILABLE';
const WRONG = 'GM_BAD_ANSWER';
const LATE = 'GM_TIMEOUT';

/** What it does, the code of the fault, and how often a question is asked. */
const MISBEHAVIOURS: readonly (readonly [Misbehaviour, string, number])[] = [
  ['slow', LATE, 1],
  ['slow-body', LATE, 1],
  ['closed', DOWN, 3],
  ['reset', DOWN, 3],
  ['garbage', WRONG, 1],
  ['html', WRONG, 1],
  ['other-json', WRONG, 1],
  ['empty', WRONG, 1],
  ['half-body', DOWN, 3],
  ['huge', WRONG, 1],
  ['redirect', WRONG, 1],
  ['echo', DOWN, 3],
  ['denied', WRONG, 1],
  ['html-404', WRONG, 1],
  ['other-404', WRONG, 1],
  ['teapot', WRONG, 1],
  ['broken', DOWN, 3],
  ['bad-gateway', DOWN, 3],
];

let server: PlatformServer;

beforeAll(async () => {
  server = await PlatformServer.start({ identity: openGround().identity });
  server.people.register('alice', caller.key.blob);
  server.people.createApp('shop', 'alice');
});

afterEach(() => {
  server.behave();
  server.calls.length = 0;
  server.sessions.endings.length = 0;
  expect(server.violations).toEqual([]);
});

afterAll(() => server.stop());

function isSlow(how: Misbehaviour): boolean {
  return how === 'slow' || how === 'slow-body';
}

async function withClient(how: Misbehaviour, use: (client: PlatformClient) => Promise<void>): Promise<void> {
  // What is slow here is slow for ever.
  const times = isSlow(how) ? { callMs: 400, openMs: 400 } : {};
  const client = new PlatformClient(settingsFor(server.url, times));
  try {
    // What is measured is the answer, and not how long a busy machine takes to connect.
    if (isSlow(how)) await until(async () => (await outcomeOf(client, 'findUser')) === 'yes', 'it is connected');
    await use(client);
  } finally {
    client.close();
  }
}

describe('a platform that misbehaves is a fault of the stage it was asked in, and never a refusal', () => {
  for (const [how, code, asked] of MISBEHAVIOURS) {
    const times = asked === 1 ? 'once' : `${asked} times`;
    // Those that only wait wait together.
    for (const questions of isSlow(how) ? [QUESTIONS] : QUESTIONS.map((question) => [question]))
      test(`${how}, asked for ${questions.join(' and for ')}: ${code}, asked ${times}`, () =>
        withClient(how, async (client) => {
          server.calls.length = 0;
          for (const question of questions) server.misbehave(question, how);
          const outcomes = await Promise.all(questions.map((question) => outcomeOf(client, question)));
          expect(outcomes).toEqual(questions.map((question) => `fault ${code} ${STAGES[question]}`));
          for (const question of questions) expect(server.callsOf(question)).toHaveLength(asked);
        }));
  }
});

describe('a platform that misbehaves when it is told of an end is told again, and nobody waits for it', () => {
  const known: readonly Misbehaviour[] = ['html-404', 'other-404'];
  for (const [how, , asked] of MISBEHAVIOURS) {
    const isKnown = known.includes(how);
    test(`${how}: ${isKnown ? 'it knows no such session, which will do' : 'told again'}`, () =>
      withClient(how, async (client) => {
        const [clock, observer] = [new MemoryClock(), new MemoryObserver()];
        const provisioner = new HttpProvisioner(client, observer, clock);
        const session = sampleSession(caller, 'git-receive-pack', 'shop');
        const dyno = await provisioner.provision(grant, lease, session, never());
        if (isRefusal(dyno)) throw new Error(`refused: ${dyno.kind}`);
        const calls = asked === 1 ? 1 : 2;
        server.misbehave('endSession', how, calls);
        await provisioner.release(dyno, RAN, USAGE);
        expect(server.callsOf('endSession')).toHaveLength(calls);
        expect(clock.sleeping).toBe(isKnown ? 0 : 1);
        await clock.advance(1_000);
        await until(() => isKnown || server.sessions.endings.length > 0, 'it was told again');
        await provisioner.finish(never());
        expect(server.sessions.endings).toHaveLength(isKnown ? 0 : 1);
        expect(observer.events).toEqual([]);
      }));
  }
});

describe('what a fault says', () => {
  test("names what went wrong, the request by the platform's log, and no secret", () =>
    withClient('denied', async (client) => {
      server.misbehave('findUser', 'denied');
      const error: unknown = await ask(client, 'findUser').catch((reason: unknown) => reason);
      const requestId = String(server.calls[0]?.headers['x-request-id']);
      expect(everythingIn(error)).toContain(
        `the platform: it does not accept gitmouth's signature (the secret, or a clock that is off) (status 401): "Access denied" (request ${requestId})`,
      );
    }));

  test('quotes what the platform said short and printable', () =>
    withClient('broken', async (client) => {
      server.say('authorize', 500, { error: `\u001b[2Jno${'o'.repeat(500)}` });
      await expect(ask(client, 'authorize')).rejects.toThrow(/status 500: "\\u001b\[2Jno{1,200}…"/);
    }));

  test('a status that asks for patience is asked again: 429 like any 5xx', () =>
    withClient('broken', async (client) => {
      server.say('authorize', 429, { error: 'too many requests' }, 2);
      expect(await outcomeOf(client, 'authorize')).toBe('yes');
      server.say('authorize', 429, { error: 'too many requests' });
      expect(await outcomeOf(client, 'authorize')).toBe('fault GM_UNAVAILABLE authorize');
    }));
});

describe('outages that pass', () => {
  test('a question that fails twice is answered by the third', () =>
    withClient('broken', async (client) => {
      for (const question of QUESTIONS) {
        server.misbehave(question, 'broken', 2);
        expect(await outcomeOf(client, question)).toBe('yes');
      }
    }));

  test('after failures in a row nothing is asked for a while, and then it is tried again', async () => {
    const breaker = { failures: 3, restMs: 100 };
    const client = new PlatformClient(settingsFor(server.url, { breaker }));
    try {
      server.misbehave('findUser', 'broken', 9);
      for (let failure = 0; failure < 3; failure++)
        expect(await outcomeOf(client, 'findUser')).toBe('fault GM_UNAVAILABLE identify');
      for (const question of QUESTIONS) await expect(ask(client, question)).rejects.toThrow('left alone');
      // What never left here has nothing to be ended.
      expect(server.calls).toHaveLength(9);
      await until(async () => (await outcomeOf(client, 'findUser')) === 'yes', 'it is asked again');
      for (const question of QUESTIONS) expect(await outcomeOf(client, question)).toBe('yes');
    } finally {
      client.close();
    }
  });

  test('a client that is limited, or whose key breaks the platform once in a while, shuts nobody out', async () => {
    const client = new PlatformClient(settingsFor(server.url, { breaker: { failures: 3, restMs: 3_600_000 } }));
    try {
      server.say('findUser', 429, { error: 'too many requests' });
      for (let question = 0; question < 5; question++)
        expect(await outcomeOf(client, 'findUser')).toBe('fault GM_UNAVAILABLE identify');
      server.misbehave('findUser', 'broken', 6);
      for (let question = 0; question < 2; question++)
        expect(await outcomeOf(client, 'findUser')).toBe('fault GM_UNAVAILABLE identify');
      for (const question of QUESTIONS) expect(await outcomeOf(client, question)).toBe('yes');
    } finally {
      client.close();
    }
  });

  test('questions share connections, and an opening, which lasts, has one of its own', () =>
    withClient('broken', async (client) => {
      const before = server.connections;
      for (let round = 0; round < 3; round++) await outcomeOf(client, 'authorize');
      expect(server.connections - before).toBe(1);
      for (let round = 0; round < 2; round++) await outcomeOf(client, 'openSession');
      expect(server.connections - before).toBe(3);
    }));
});
