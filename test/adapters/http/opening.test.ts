/** A dyno for each session: one and no more, whatever becomes of the call for it. */
import { expect } from '@jest/globals';
import { HttpAccessControl } from '../../../src/adapters/http/http-access-control.js';
import { never, rejectionOf, until, within } from '../../../src/contracts/contract.js';
import { sampleSession } from '../../../src/contracts/samples.js';
import { isRefusal } from '../../../src/domain/refusal.js';
import { mustCall } from '../../support/must-call.js';
import { LINK, type LinkBody, type OpenBody } from '../../support/platform/sessions.js';
import { needs } from '../../support/programs.js';
import { grant, lease, RAN, USAGE } from './asking.js';
import { caller, inHouse, type House } from './ground.js';

const { test, describe } = needs('openssl');

function bodiesOf({ server }: House): readonly OpenBody[] {
  return server.callsOf('openSession').map(({ body }) => body as OpenBody);
}

function push() {
  return sampleSession(caller, 'git-receive-pack', 'shop');
}

describe('what a platform hears of a session, and what its dyno is given', () => {
  test('the grant comes back with what it was known by, and the lease with its token', () =>
    inHouse(async (house) => {
      const { server, client, provisioner } = house;
      server.people.grantMore = {
        reference: 'release:4711',
        limits: { lock_wait_seconds: 0, session_seconds: 90 },
        lock_mode: 'refuse',
        notice: 'Slow today.',
        environment: [
          { name: 'BUILD_CACHE', value: 'eu-1', secret: false },
          { name: 'REGISTRY_TOKEN', value: 't0ps3cret', secret: true },
        ],
      };
      const access = new HttpAccessControl(client);
      const granted = await access.authorize(sampleSession(caller, 'git-receive-pack', 'shop'), never());
      expect(granted).toMatchObject({
        lockMode: 'refuse',
        notice: 'Slow today.',
        limits: { lockWaitMs: 0, sessionMs: 90_000 },
      });
      if (isRefusal(granted)) throw new Error(granted.kind);
      const session = push();
      const dyno = await provisioner.provision(granted, lease, session, never());
      expect(bodiesOf(house)).toMatchObject([
        {
          session: session.id,
          user: 'alice',
          app: 'shop',
          reference: 'release:4711',
          lease_token: 12,
          access: 'write',
        },
      ]);
      const { host, port, user, host_key: hostKey, repository } = LINK;
      expect(dyno).toMatchObject({ link: { kind: 'ssh', host, port, user, hostKey, repository } });
      expect(dyno).toMatchObject({
        link: {
          plan: {
            service: 'git-receive-pack',
            access: 'write',
            secrets: ['REGISTRY_TOKEN'],
            environment: {
              BUILD_CACHE: 'eu-1',
              REGISTRY_TOKEN: 't0ps3cret',
              GITMOUTH_SESSION_ID: session.id,
              GITMOUTH_USER: 'alice',
            },
          },
        },
      });
    }));

  test('a reader has neither lease nor reference, and an app that a push creates is made with its dyno', () =>
    inHouse(async (house) => {
      const { provisioner, server } = house;
      const reading = { ...grant, access: 'read' } as const;
      await provisioner.provision(reading, undefined, sampleSession(caller, 'git-upload-pack', 'shop'), never());
      expect(bodiesOf(house)[0]).not.toHaveProperty('lease_token');
      expect(bodiesOf(house)[0]).not.toHaveProperty('reference');
      const creating = { ...grant, app: 'wiki', creates: true };
      expect(server.people.hasApp('wiki')).toBe(false);
      const session = sampleSession(caller, 'git-receive-pack', 'wiki');
      expect(await provisioner.provision(creating, lease, session, never())).toHaveProperty('id');
      expect(server.people.hasApp('wiki')).toBe(true);
    }));

  test('a refusal holds no dyno, and nothing is told of an end', () =>
    inHouse(async ({ provisioner, server }) => {
      server.people.destroyApp('shop');
      const refused = { kind: 'no-access', app: 'shop', service: 'git-receive-pack' };
      expect(await provisioner.provision(grant, lease, push(), never())).toEqual(refused);
      server.say('openSession', 200, { refusal: { reason: 'limit', text: 'No hours left.' } });
      const inWords = { kind: 'platform', reason: 'limit', text: 'No hours left.' };
      expect(await provisioner.provision(grant, lease, push(), never())).toEqual(inWords);
      await provisioner.finish(never());
      expect(server.callsOf('endSession')).toEqual([]);
    }));
});

describe('an answer that is lost', () => {
  test('and a refusal after it: the dyno that was made is given back', async () => {
    let destroyApp = () => undefined as void;
    const maker = {
      open: async () => {
        destroyApp();
        return LINK;
      },
    };
    await inHouse(
      async ({ server, provisioner }) => {
        destroyApp = () => server.people.destroyApp('shop');
        server.misbehave('openSession', 'lost-answer', 1);
        const session = push();
        const refused = { kind: 'no-access', app: 'shop', service: 'git-receive-pack' };
        expect(await provisioner.provision(grant, lease, session, never())).toEqual(refused);
        expect(server.sessions.made).toBe(1);
        expect(server.sessions.held).toEqual([]);
        expect(server.sessions.endings).toMatchObject([
          { session: session.id, dyno: null, outcome: { kind: 'abandoned' } },
        ]);
      },
      { maker },
    );
  });

  test('is asked for again with the same session, and gives the one dyno there is', () =>
    inHouse(async (house) => {
      const { server, provisioner } = house;
      for (const lost of [1, 2]) {
        const session = push();
        server.misbehave('openSession', 'lost-answer', lost);
        const dyno = await provisioner.provision(grant, lease, session, never());
        expect(dyno).toHaveProperty('id');
        expect(server.sessions.made).toBe(lost);
        expect(bodiesOf(house).filter((body) => body.session === session.id)).toHaveLength(1 + lost);
        if (!isRefusal(dyno)) await provisioner.release(dyno, RAN, USAGE);
      }
      expect(server.sessions.held).toEqual([]);
      const keys = server.callsOf('openSession').map(({ headers }) => headers['idempotency-key']);
      expect(keys).toEqual(bodiesOf(house).map(({ session }) => session));
    }));

  test('each time is a fault, and the dyno is given back', () =>
    inHouse(async ({ server, provisioner }) => {
      const session = push();
      server.misbehave('openSession', 'lost-answer');
      const call = provisioner.provision(grant, lease, session, never());
      await expect(call).rejects.toMatchObject({ code: 'GM_UNAVAILABLE', stage: 'provision' });
      expect(server.sessions.made).toBe(1);
      expect(server.sessions.held).toEqual([]);
      expect(server.sessions.endings).toMatchObject([
        { session: session.id, dyno: null, outcome: { kind: 'abandoned' } },
      ]);
    }));
});

/** A maker whose dynos come to be when it is told. */
function slowMaker() {
  const waiting: (() => void)[] = [];
  const closed: string[] = [];
  return {
    closed,
    waiting,
    maker: {
      open: () => new Promise<LinkBody>((resolve) => waiting.push(() => resolve(LINK))),
      close: (dyno: string) => void closed.push(dyno),
    },
  };
}

describe('a dyno that nobody waits for any more', () => {
  test('goes as soon as it is there, when the client leaves while it is made', async () => {
    const { maker, waiting, closed } = slowMaker();
    await inHouse(
      async ({ server, provisioner }) => {
        const left = new AbortController();
        const session = push();
        const call = provisioner.provision(grant, lease, session, left.signal);
        await until(() => waiting.length === 1, 'it is being made');
        left.abort(new Error('the client left'));
        // The platform answers the end when there is nothing left to end.
        await until(() => server.callsOf('endSession').length === 1, 'the end is told');
        waiting[0]?.();
        expect(await rejectionOf(call)).toBe(left.signal.reason);
        await until(() => server.sessions.held.length === 0, 'nothing is held');
        expect(server.sessions.endings).toMatchObject([
          { session: session.id, dyno: null, outcome: { kind: 'abandoned' }, bytes_in: 0, phases_ms: {} },
        ]);
        expect(closed).toHaveLength(1);
      },
      { maker },
    );
  });

  test('goes as well when it took too long, and that is a fault after the time for it and not later', async () => {
    const { maker, waiting } = slowMaker();
    await inHouse(
      async ({ server, provisioner }) => {
        const begun = performance.now();
        const call = provisioner.provision(grant, lease, push(), never());
        const failed = expect(call).rejects.toMatchObject({ code: 'GM_TIMEOUT', stage: 'provision' });
        await until(() => server.callsOf('endSession').length === 1, 'the end is told');
        expect(performance.now() - begun).toBeGreaterThanOrEqual(399);
        waiting[0]?.();
        await failed;
        expect(server.callsOf('openSession')).toHaveLength(1);
        await until(() => server.sessions.held.length === 0, 'nothing is held');
      },
      { maker },
      { openMs: 400 },
    );
  });

  test('is asked for again only as long as there is time, however often its answer is lost', () =>
    inHouse(
      async ({ server, provisioner }) => {
        server.misbehave('openSession', 'reset');
        const begun = performance.now();
        const call = provisioner.provision(grant, lease, push(), never());
        await expect(call).rejects.toMatchObject({ code: 'GM_TIMEOUT' });
        expect(performance.now() - begun).toBeLessThan(3_000);
        expect(server.callsOf('openSession')).toHaveLength(1);
      },
      {},
      { openMs: 500, firstPauseMs: 60_000 },
    ));

  test('is no matter where the platform never heard of it: nothing is told of an end', () =>
    inHouse(async ({ server, provisioner, clock, observer }) => {
      await server.stop();
      const call = provisioner.provision(grant, lease, push(), never());
      await expect(call).rejects.toMatchObject({ code: 'GM_UNAVAILABLE' });
      expect(clock.sleeping).toBe(0);
      await within(provisioner.finish(never()), 'the end');
      expect(observer.events).toEqual([]);
    }));

  test('is no matter where the call was given up before it was made', () =>
    inHouse(async ({ server, provisioner }) => {
      const gone = AbortSignal.abort(new Error('gone'));
      expect(await rejectionOf(provisioner.provision(grant, lease, push(), gone))).toBe(gone.reason);
      expect(server.calls).toEqual([]);
    }));
});

test('a platform without a free host is asked again, and then it is a fault and the session told as ended', async () => {
  const noRoom = mustCall(() => undefined, 3);
  await inHouse(
    async ({ server, provisioner }) => {
      const call = provisioner.provision(grant, lease, push(), never());
      await expect(call).rejects.toThrow('status 503: "no host has room"');
      expect(server.sessions.endings).toHaveLength(1);
    },
    { maker: { open: async () => noRoom() } },
  );
});
