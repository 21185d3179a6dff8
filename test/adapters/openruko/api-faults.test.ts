/** One row for each way an API server can fail, and each call it can fail in: what comes of it. */
import { expect } from '@jest/globals';
import { OpenrukoAccessControl } from '../../../src/adapters/openruko/openruko-access-control.js';
import { never } from '../../../src/contracts/contract.js';
import { sampleSession } from '../../../src/contracts/samples.js';
import { SERVICE_KEY, type ApiServer, type Route } from '../../support/openruko/api-server.js';
import type { Misbehaviour } from '../../support/openruko/misbehaviour.js';
import { needs } from '../../support/programs.js';
import { ask, caller, LIMITS, openPopulated, outcomeOf, populate } from './asking.js';
import { openHouse } from './ground.js';

const { test, describe } = needs('openssl');

const STAGES = { lookup: 'identify', app: 'authorize', gitaction: 'provision' } as const;
const DOWN = 'GM_UNAVAILABLE';
const WRONG = 'GM_BAD_ANSWER';
const LATE = 'GM_TIMEOUT';

/** What it does, the code of the fault in every call, and how often a question that may be repeated is asked. */
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

describe('an API server that misbehaves is a fault of the stage it was asked in, and never a refusal', () => {
  for (const [how, code, asked] of MISBEHAVIOURS)
    for (const route of ['lookup', 'app', 'gitaction'] as const) {
      const times = route === 'gitaction' ? 1 : asked;
      test(`${how}, asked for ${route}: ${code}, asked ${times === 1 ? 'once' : `${times} times`}`, async () => {
        const house = await openPopulated();
        try {
          house.server.misbehave(route, how);
          expect(await outcomeOf(house.client, route)).toBe(`fault ${code} ${STAGES[route]}`);
          expect(house.server.calls.filter((call) => call.route === route)).toHaveLength(times);
        } finally {
          await house.close();
        }
      });
    }
});

test('an answer that is far too long is not read to its end', async () => {
  const house = await openPopulated();
  try {
    for (const route of ['lookup', 'app', 'gitaction'] as const) {
      house.server.misbehave(route, 'huge', 1);
      await expect(ask(house.client, route)).rejects.toThrow('longer than');
    }
  } finally {
    await house.close();
  }
});

describe('only what the API server really refuses is a refusal', () => {
  const rows: readonly (readonly [string, (server: ApiServer) => void, Route, string])[] = [
    ['a key that nobody holds', (server) => server.removeUser('alice'), 'lookup', 'refusal unknown-key'],
    ['a key that was removed since', (server) => server.removeUser('alice'), 'app', 'refusal key-removed'],
    ['an app that is not there', (server) => server.destroyApp('shop'), 'app', 'refusal no-access'],
    ["another's app", (server) => server.createApp('shop', 'bob'), 'app', 'refusal no-access'],
    [
      'an app that is gone when its dyno is asked for',
      (server) => server.destroyApp('shop'),
      'gitaction',
      'refusal no-access',
    ],
  ];
  for (const [what, change, route, expected] of rows)
    test(`${what}: ${expected}`, async () => {
      const house = await openPopulated();
      try {
        expect(await outcomeOf(house.client, route)).toBe('yes');
        change(house.server);
        expect(await outcomeOf(house.client, route)).toBe(expected);
      } finally {
        await house.close();
      }
    });

  test('a key that has another holder now is a removed one, and their apps stay closed to it', async () => {
    const house = await openPopulated();
    try {
      house.server.removeUser('alice');
      house.server.register('bob', caller.key.md5);
      house.server.createApp('shop', 'bob');
      expect(await outcomeOf(house.client, 'app')).toBe('refusal key-removed');
    } finally {
      await house.close();
    }
  });

  test('a collaborator may push and fetch; nobody gets an archive', async () => {
    const house = await openPopulated();
    try {
      house.server.createApp('shop', 'bob');
      house.server.addCollaborator('shop', 'alice');
      const access = new OpenrukoAccessControl(house.client);
      for (const [service, expected] of [
        ['git-receive-pack', { access: 'write' }],
        ['git-upload-pack', { access: 'read' }],
        ['git-upload-archive', { kind: 'platform', text: expect.stringContaining('Archives are not given out') }],
      ] as const)
        expect(await access.authorize(sampleSession(caller, service, 'shop'), never())).toMatchObject(expected);
    } finally {
      await house.close();
    }
  });
});

describe('whose key is used', () => {
  test("the app is asked for with the user's own key, everything else with the service's", async () => {
    const house = await openPopulated();
    try {
      for (const route of ['lookup', 'app', 'gitaction'] as const) await outcomeOf(house.client, route);
      const used = house.server.calls.map(({ route, password }) => `${route} ${password}`);
      expect([...new Set(used)]).toEqual([`lookup ${SERVICE_KEY}`, 'app api-key-of-alice', `gitaction ${SERVICE_KEY}`]);
    } finally {
      await house.close();
    }
  });

  test("the user's own key is no part of who they are", async () => {
    const house = await openPopulated();
    try {
      expect(await ask(house.client, 'lookup')).toEqual({ name: 'alice' });
    } finally {
      await house.close();
    }
  });
});

describe('outages that pass', () => {
  test('a question that fails twice is answered by the third', async () => {
    const house = await openPopulated();
    try {
      house.server.misbehave('lookup', 'broken', 2);
      expect(await outcomeOf(house.client, 'lookup')).toBe('yes');
    } finally {
      await house.close();
    }
  });

  test('no dyno host takes the job: a fault of provisioning, asked for once, and other questions go on', async () => {
    const house = await openHouse({ takeJob: () => undefined, polls: 2 }, LIMITS);
    populate(house.server);
    try {
      for (let round = 0; round < 6; round++)
        expect(await outcomeOf(house.client, 'gitaction')).toBe('fault GM_UNAVAILABLE provision');
      expect(house.server.calls).toHaveLength(6);
      expect(await outcomeOf(house.client, 'lookup')).toBe('yes');
    } finally {
      await house.close();
    }
  });

  test('after failures in a row nothing is asked for a while, and then it is tried again', async () => {
    const house = await openHouse({}, { ...LIMITS, breaker: { failures: 1, restMs: 200 } });
    populate(house.server);
    try {
      house.server.misbehave('lookup', 'broken', 3);
      expect(await outcomeOf(house.client, 'lookup')).toBe('fault GM_UNAVAILABLE identify');
      const asked = house.server.calls.length;
      await expect(ask(house.client, 'lookup')).rejects.toThrow('left alone');
      await expect(ask(house.client, 'gitaction')).rejects.toThrow('left alone');
      expect(house.server.calls).toHaveLength(asked);
      await new Promise((resolve) => setTimeout(resolve, 250));
      expect(await outcomeOf(house.client, 'lookup')).toBe('yes');
      expect(await outcomeOf(house.client, 'lookup')).toBe('yes');
    } finally {
      await house.close();
    }
  });

  test('many questions share few connections, and gitaction has one of its own each time', async () => {
    const house = await openPopulated();
    try {
      for (let round = 0; round < 5; round++) await outcomeOf(house.client, 'app');
      expect(house.server.connections).toBe(1);
      await outcomeOf(house.client, 'gitaction');
      await outcomeOf(house.client, 'gitaction');
      expect(house.server.connections).toBe(3);
    } finally {
      await house.close();
    }
  });
});
