/** What is answered without an app and without a dyno. */
import { describe, expect, test } from '@jest/globals';
import { Fault } from '../../src/domain/fault.js';
import { command, MemoryHouse, type Visit } from './memory-house.js';

const [WHOAMI, DOCTOR] = [command('whoami'), command('doctor')];

function rows({ stdout }: Visit, name: string): readonly string[] {
  const lines = stdout.toString().split('\n');
  return lines.filter((line) => line.slice(0, 14).trim() === name).map((line) => line.slice(14));
}

describe('whoami and doctor', () => {
  test.each([
    ['whoami', WHOAMI],
    ['doctor', DOCTOR],
  ])('%s is answered on standard output with status 0, and opens nothing', async (name, ask) => {
    const house = new MemoryHouse();
    const visit = house.visit(ask);
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(visit.stderr).toBe('');
    expect(rows(visit, 'user')).toEqual(['alice']);
    expect(rows(visit, 'app')).toEqual(['shop write']);
    expect(house.ended).toMatchObject({ verdict: `answered-${name}`, exit: 0, user: 'alice' });
    expect(house.journal).toEqual(['finish', 'session-ended']);
    house.expectNothingHeld(visit);
  });

  test.each([
    ['whoami', WHOAMI, 0],
    ['doctor', DOCTOR, 0],
    ['shell', { kind: 'shell' }, 1],
  ] as const)(
    '%s is counted like sessions on an app: too many a minute are refused, and ask nobody',
    async (...row) => {
      const [name, ask, code] = row;
      const house = new MemoryHouse();
      house.penaltyRules = { ...house.penaltyRules, sessionsPerMinute: 2 };
      for (let asked = 0; asked < 2; asked++) expect(await house.visit(ask).exit()).toEqual({ code });
      house.authenticator.identify = () => Promise.reject(new Error('asked all the same'));
      const visit = house.visit(ask);
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stderr).toContain(
        `You began more than 2 commands on '${name}' within a minute, which is the limit.`,
      );
      expect(house.observer.ofType('session-ended').at(-1)?.verdict).toBe('refused-too-fast');
    },
  );

  test('name the server and its version to the doctor alone', async () => {
    const house = new MemoryHouse();
    const [whoami, doctor] = [house.visit(WHOAMI), house.visit(DOCTOR)];
    await Promise.all([whoami.exit(), doctor.exit()]);
    expect(rows(whoami, 'server')).toEqual([]);
    expect(rows(doctor, 'server')).toEqual(['gitmouth 1.2.3']);
  });

  test.each([WHOAMI, DOCTOR])('are refused to a key that was removed, whatever is remembered of it', async (ask) => {
    const house = new MemoryHouse();
    const live = house.connect();
    await house.serveGit.identify({ key: house.key }, live.caller.connection, new AbortController().signal);
    house.authenticator.identify = () => Promise.resolve({ kind: 'unknown-key' });
    const visit = house.visit(ask, live);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stdout).toHaveLength(0);
    expect(visit.stderr).toContain('This key is not (or no longer) registered here.');
  });

  test.each([WHOAMI, DOCTOR])(
    "are refused to a key that is another user's by now, of whom nothing is told",
    async (ask) => {
      const house = new MemoryHouse();
      const live = house.connect();
      house.platform.createApp('secret', 'bob');
      house.authenticator.identify = () => Promise.resolve({ name: 'bob' });
      const visit = house.visit(ask, live);
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stdout).toHaveLength(0);
      expect(visit.stderr).toContain('This key is not (or no longer) registered here.');
    },
  );

  test.each([WHOAMI, DOCTOR])('are no denial when it can not be known whose key it is', async (ask) => {
    const house = new MemoryHouse();
    house.authenticator.identify = () => Promise.reject(new Fault('GM_UNAVAILABLE', 'identify', 'away'));
    const visit = house.visit(ask);
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(visit.stdout).toHaveLength(0);
  });

  test('go on without the apps where the platform can not list them now, and tell the operator', async () => {
    const house = new MemoryHouse();
    house.access.list = () => Promise.reject(new Fault('GM_UNAVAILABLE', 'authorize', 'away'));
    const visit = house.visit(WHOAMI);
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(rows(visit, 'app')).toEqual(['your apps can not be listed now']);
    expect(house.observer.ofType('fault').map(({ fault }) => fault.message)).toEqual(['away']);
  });

  test('show no apps where the platform lists none at all', async () => {
    const house = new MemoryHouse();
    Object.assign(house.access, { list: () => Promise.resolve(undefined) });
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(rows(visit, 'app')).toEqual([]);
  });
});

describe('doctor', () => {
  test('shows the push locks of apps that the user may write to, and of no other', async () => {
    const house = new MemoryHouse();
    house.platform.createApp('blog', 'bob');
    house.platform.createApp('secret', 'bob');
    house.platform.share('blog', 'alice', 'read');
    for (const app of ['shop', 'blog', 'secret']) {
      const holder = { user: 'bob', session: `s-${app}`, since: 0 };
      await house.locks.acquire(app, holder, 'refuse', 0, () => undefined, new AbortController().signal);
    }
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(rows(visit, 'lock')).toEqual(['shop held by a push of bob since 2026-01-01 00:00:00 UTC, session s-shop']);
  });

  test('shows no lock to a deploy key that only reads', async () => {
    const house = new MemoryHouse();
    house.authenticator.identify = () => Promise.resolve({ name: 'alice', binding: { access: 'read' } });
    const holder = { user: 'bob', session: 's-9', since: 0 };
    await house.locks.acquire('shop', holder, 'refuse', 0, () => undefined, new AbortController().signal);
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(rows(visit, 'app')).toEqual(['shop read']);
    expect(rows(visit, 'lock')).toEqual([]);
  });

  test('says that the locks can not be told when their state is away', async () => {
    const house = new MemoryHouse();
    house.locks.held = () => Promise.reject(new Fault('GM_UNAVAILABLE', 'lock', 'away'));
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(rows(visit, 'lock')).toEqual(['whether your apps are locked can not be told now']);
    expect(rows(visit, 'app')).toEqual(['shop write']);
  });

  test('answers one who has to pause, with the refusal that is in force', async () => {
    const house = new MemoryHouse();
    await house.penalties.add({ kind: 'user', name: 'alice' }, 'no-access', 60_000, house.penaltyRules);
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stdout.toString()).toContain(' !     Your account has to pause: too many requests named apps');
    const whoami = house.visit(WHOAMI);
    expect(await whoami.exit()).toEqual({ code: 0 });
  });

  test('answers while the server drains, and says that nothing new is begun', async () => {
    const house = new MemoryHouse();
    house.serveGit.beginDrain();
    const visit = house.visit(DOCTOR);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stdout.toString()).toContain(' !     This server is about to restart and starts nothing new.');
  });

  test('ends with its client', async () => {
    const house = new MemoryHouse();
    house.access.list = (_caller, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
        visit.client.leave();
      });
    const visit = house.visit(DOCTOR);
    await visit.served;
    expect(house.ended).toMatchObject({ verdict: 'ended-client-left' });
    house.expectNothingHeld(visit);
  });
});
