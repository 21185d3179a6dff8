/** The end of each session reaches the platform. */
import { expect } from '@jest/globals';
import { HttpProvisioner } from '../../../src/adapters/http/http-provisioner.js';
import { never, until, within } from '../../../src/contracts/contract.js';
import { sampleCaller, sampleSession } from '../../../src/contracts/samples.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import { Fault } from '../../../src/domain/fault.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import type { Session } from '../../../src/domain/session.js';
import type { Outcome } from '../../../src/domain/verdict.js';
import { PlatformServer, SECRET } from '../../support/platform/platform-server.js';
import { needs } from '../../support/programs.js';
import { grant, lease, RAN } from './asking.js';
import { inHouse, openGround, type House } from './ground.js';

const { test, describe } = needs('openssl');

const USAGE = { bytesIn: 12, bytesOut: 34, phasesMs: { authorize: 1.4, lock: 2, provision: 0, run: 1234.5 } };

async function opened({ provisioner }: House): Promise<{ session: Session; dyno: Dyno }> {
  const session = sampleSession(sampleCaller('alice'), 'git-receive-pack', 'shop');
  const dyno = await provisioner.provision(grant, lease, session, never());
  if (isRefusal(dyno)) throw new Error(`refused: ${dyno.kind}`);
  return { session, dyno };
}

describe('what is told of a session that has ended', () => {
  const rows: readonly (readonly [string, Outcome, object])[] = [
    ['git ended', RAN, { kind: 'ran', exit_status: 0 }],
    ['git failed', { kind: 'ran', exit: { kind: 'code', code: 128 } }, { kind: 'ran', exit_status: 128 }],
    ['git was killed', { kind: 'ran', exit: { kind: 'signal', signal: 'KILL' } }, { kind: 'ran', exit_signal: 'KILL' }],
    [
      'the dyno was lost',
      { kind: 'faulted', fault: new Fault('GM_DYNO_LOST', 'run', `with ${SECRET}`) },
      { kind: 'faulted', code: 'GM_DYNO_LOST', stage: 'run' },
    ],
    ['the client left', { kind: 'ended', reason: 'client-left' }, { kind: 'ended', reason: 'client-left' }],
    ['a bug', { kind: 'crashed', error: new Error(SECRET) }, { kind: 'crashed' }],
  ];
  for (const [what, outcome, expected] of rows)
    test(`${what}: ${JSON.stringify(expected)}, with bytes and times in whole numbers`, () =>
      inHouse(async (house) => {
        const { session, dyno } = await opened(house);
        await house.provisioner.release(dyno, outcome, USAGE);
        expect(house.server.sessions.endings).toEqual([
          {
            session: session.id,
            dyno: dyno.id,
            outcome: expected,
            bytes_in: 12,
            bytes_out: 34,
            phases_ms: { authorize: 1, lock: 2, provision: 0, run: 1235 },
          },
        ]);
        expect(house.server.sessions.held).toEqual([]);
      }));

  test('a dyno that is given back twice at once is told of once', () =>
    inHouse(async (house) => {
      const { dyno } = await opened(house);
      const release = () => house.provisioner.release(dyno, RAN, USAGE);
      await Promise.all([release(), release()]);
      await release();
      expect(house.server.sessions.endings).toHaveLength(1);
    }));
});

describe('a platform that is away at the end of sessions', () => {
  test('is told of every one when it is back, through the end of gitmouth itself', () =>
    inHouse(async (house) => {
      const { server, provisioner, observer } = house;
      const sessions = await Promise.all(Array.from({ length: 20 }, () => opened(house)));
      const { port } = server;
      await server.stop();
      await Promise.all(sessions.map(({ dyno }) => provisioner.release(dyno, RAN, USAGE)));
      const finished = provisioner.finish(never());
      const back = await PlatformServer.start({ identity: openGround().identity }, port);
      try {
        await until(
          () => back.sessions.endings.length === 20,
          'all are told',
          (ms) => house.clock.advance(ms),
        );
        await within(finished, 'the end');
        const told = back.sessions.endings.map(({ session }) => session);
        expect(told.sort()).toEqual(sessions.map(({ session }) => session.id).sort());
        expect(observer.events).toEqual([]);
      } finally {
        house.client.close();
        await back.stop();
      }
    }));

  test('holds nobody up: the first attempt has its time, and no more', () =>
    inHouse(
      async (house) => {
        const { dyno } = await opened(house);
        house.server.misbehave('endSession', 'slow');
        const begun = performance.now();
        await house.provisioner.release(dyno, RAN, USAGE);
        expect(performance.now() - begun).toBeLessThan(3_000);
        house.server.behave();
        await house.provisioner.finish(never());
        expect(house.server.sessions.endings).toHaveLength(1);
      },
      {},
      { callMs: 400 },
    ));

  test('to the last moment: each that it was not told of is said once, with its ids and without a secret', () =>
    inHouse(async (house) => {
      const { server, provisioner, observer } = house;
      const sessions = [await opened(house), await opened(house)];
      server.say('endSession', 500, { error: `the secret is ${SECRET}` });
      for (const { dyno } of sessions) await provisioner.release(dyno, RAN, USAGE);
      server.misbehave('endSession', 'slow');
      const time = new AbortController();
      const finished = provisioner.finish(time.signal);
      await until(() => server.open.size === 2, 'it is tried once more');
      time.abort();
      await within(finished, 'the end');
      provisioner.close();
      const problems = observer.ofType('problem');
      expect(problems.map(({ session, connection }) => ({ session, connection }))).toEqual(
        sessions.map(({ session: { id, caller } }) => ({ session: id, connection: caller.connection.id })),
      );
      for (const { message } of problems) {
        expect(message).toContain('may hold its dyno: it answered with status 500: "the secret is ***" (request ');
        expect(message).not.toContain(SECRET);
      }
    }));

  test('one that knows no such session (any more) has nothing left of it', () =>
    inHouse(async (house) => {
      for (const status of [404, 410]) {
        const { dyno } = await opened(house);
        house.server.say('endSession', status, { error: 'no such session' });
        await house.provisioner.release(dyno, RAN, USAGE);
        expect(house.clock.sleeping).toBe(0);
      }
      expect(house.observer.events).toEqual([]);
    }));
});

test('a dyno of somebody else is none of its business', () =>
  inHouse(async (house) => {
    const { dyno } = await opened(house);
    const other = new HttpProvisioner(house.client, house.observer, house.clock);
    await other.release(dyno, RAN, USAGE);
    expect(house.server.sessions.endings).toEqual([]);
    await house.provisioner.release(dyno, RAN, USAGE);
  }));
