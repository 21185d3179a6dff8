/** Sessions that end before their command has: the client leaves, a removal, a lost lease, a drain. */
import { describe, expect, test } from '@jest/globals';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import type { EndReason } from '../../src/domain/session-end.js';
import { turns, until, within } from '../../src/contracts/contract.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import { gate, MemoryHouse, type Visit } from './memory-house.js';

const PHASES = ['authorize', 'lock', 'queue', 'provision', 'connect', 'run'] as const;

/** Has a push hang in one phase until it is ended. */
async function hangingIn(phase: (typeof PHASES)[number], house: MemoryHouse): Promise<Visit> {
  house.command = sleepUntilSignalled;
  if (phase === 'lock') await holdTheLock(house);
  if (phase === 'queue') await house.fillWithDynos();
  const troubled = {
    authorize: house.access.trouble,
    provision: house.provisioner.trouble,
    connect: house.transport.trouble,
  };
  if (phase in troubled) troubled[phase as keyof typeof troubled].stall();
  const visit = house.push();
  const calls = { authorize: 'authorize', lock: 'acquire', queue: 'acquire', provision: 'provision' };
  const call = phase in calls ? calls[phase as keyof typeof calls] : 'open';
  await until(() => house.journal.includes(call), `${call} to be called`);
  if (phase === 'run') await until(() => visit.stdout.length > 0, 'git to run');
  await turns();
  return visit;
}

function holdTheLock(house: MemoryHouse) {
  const holder = { user: 'bob', session: 's-0', since: house.clock.now() };
  return house.locks.acquire('shop', holder, 'refuse', 0, () => undefined, new AbortController().signal);
}

/** What is given back after a phase was ended. */
function givenBack(phase: (typeof PHASES)[number]): readonly string[] {
  const lease = ['lease given back', 'finish', 'session-ended'];
  switch (phase) {
    case 'authorize':
    case 'lock':
      return ['finish', 'session-ended'];
    case 'queue':
    case 'provision':
      return lease;
    case 'connect':
      return ['release while 1 held', ...lease];
    case 'run':
      return ['close', 'release while 1 held', ...lease];
  }
}

function expectEnded(house: MemoryHouse, visit: Visit, phase: (typeof PHASES)[number], reason: EndReason): void {
  expect(house.ended).toMatchObject({ verdict: `ended-${reason}`, exit: 'TERM' });
  expect(house.ended.fault).toBeUndefined();
  const reached = [...PHASES.slice(0, PHASES.indexOf(phase) + 1)];
  const wasProvided = phase === 'connect' || phase === 'run';
  expect(Object.keys(house.ended.phasesMs)).toEqual(wasProvided ? [...reached, 'release'] : reached);
  const calls = house.journal.filter((call) => !['authorize', 'acquire', 'provision', 'open'].includes(call));
  expect(calls).toEqual(givenBack(phase));
  expect(house.provisioner.releases.map(({ outcome }) => outcome)).toEqual(
    wasProvided ? [{ kind: 'ended', reason }] : [],
  );
  if (phase === 'lock') house.locks.revoke('shop');
  if (phase === 'queue') {
    expect(house.taken).toEqual(new Map([['dynos all', DEFAULT_ADMISSION_LIMITS.dynos]]));
    house.taken.clear();
  }
  house.expectNothingHeld(visit);
}

describe('a client that leaves', () => {
  test.each(PHASES)('in %s ends its session at once, and everything is given back', async (phase) => {
    const house = new MemoryHouse();
    const visit = await hangingIn(phase, house);
    visit.client.leave();
    expect(await visit.exit()).toBeUndefined();
    expectEnded(house, visit, phase, 'client-left');
  });

  test('during the release changes nothing of how git ended', async () => {
    const house = new MemoryHouse();
    const releasing = gate();
    house.before.release = releasing.wait;
    const visit = house.push();
    await releasing.reached;
    visit.client.leave();
    await turns();
    expect(house.locks.leases()).toHaveLength(1);
    releasing.open();
    expect(await visit.exit()).toBeUndefined();
    expect(house.ended).toMatchObject({ verdict: 'exit-0', exit: 0 });
    expect(house.provisioner.releases[0]?.outcome).toEqual({ kind: 'ran', exit: { kind: 'code', code: 0 } });
    house.expectNothingHeld(visit);
  });

  test('before it was served takes nothing', async () => {
    const house = new MemoryHouse();
    const live = house.connect();
    live.end('client-left');
    const visit = house.push('shop', live);
    await visit.exit();
    expect(house.journal).toEqual(['finish', 'session-ended']);
    expect(house.ended.phasesMs).toEqual({});
    house.expectNothingHeld(visit);
  });

  test('a moment after the lock was taken leaves no lock behind', async () => {
    const house = new MemoryHouse();
    const visit = house.push();
    const leave = visit.client;
    house.before.provision = () => {
      leave.leave();
    };
    await visit.exit();
    expectEnded(house, visit, 'provision', 'client-left');
  });

  test('a moment after the dyno was provided leaves no dyno behind', async () => {
    const house = new MemoryHouse();
    const visit = house.push();
    house.before.open = () => {
      visit.client.leave();
    };
    await visit.exit();
    expectEnded(house, visit, 'connect', 'client-left');
  });

  test('takes no command with it that needs its grace: the lock is held until it has ended', async () => {
    const house = new MemoryHouse();
    house.command = async (process) => {
      process.trap(() => undefined);
      return sleepUntilSignalled(process);
    };
    const visit = house.push();
    await until(() => visit.stdout.length > 0, 'git to run');
    visit.client.leave();
    await turns();
    expect(house.transport.running()).toEqual(['dyno-1']);
    expect(house.locks.leases()).toHaveLength(1);
    expect(house.provisioner.held()).toHaveLength(1);
    await house.clock.advance(5_000);
    await visit.exit();
    expect(house.ended.durationMs).toBe(5_000);
    house.expectNothingHeld(visit);
  });

  test('ends its own session alone, of several on its connection', async () => {
    const house = new MemoryHouse();
    house.command = sleepUntilSignalled;
    const live = house.connect();
    const [gone, stays] = [house.fetch('shop', live), house.fetch('shop', live)];
    await until(() => gone.stdout.length > 0 && stays.stdout.length > 0, 'both to run');
    gone.client.leave();
    await gone.exit();
    expect(house.transport.running()).toEqual(['dyno-2']);
    stays.client.signal('TERM');
    expect(await stays.exit()).toEqual({ signal: 'TERM' });
    expect(house.observer.ofType('session-ended').map(({ verdict }) => verdict)).toEqual([
      'ended-client-left',
      'signal-TERM',
    ]);
    house.expectNothingHeld(gone, stays);
  });
});

describe.each([
  ['user-removed', 'Your account was removed. Your command was ended.'],
  ['key-removed', 'Your key was removed from your account. Your command was ended.'],
] as const)('a session whose user is told of %s', (reason, words) => {
  test.each(PHASES)('in %s ends with these words and a signal', async (phase) => {
    const house = new MemoryHouse();
    const visit = await hangingIn(phase, house);
    const before = visit.stderr;
    if (reason === 'user-removed') house.platform.removeUser('alice');
    else house.platform.removeKey('alice', house.key);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    expect(visit.stderr.slice(before.length)).toBe(
      ` !     ${words}\n !     You are alice, by the key ${house.key.sha256}. Session s-1.\n`,
    );
    expectEnded(house, visit, phase, reason);
  });
});

describe('a lost lease', () => {
  test.each(['queue', 'provision', 'connect', 'run'] as const)(
    'in %s ends the session, which gives it back',
    async (phase) => {
      const house = new MemoryHouse();
      const visit = await hangingIn(phase, house);
      house.locks.revoke('shop');
      expect(await visit.exit()).toEqual({ signal: 'TERM' });
      expect(visit.stderr).toContain(
        ' !     The lock of this app was lost. Your command was ended so that no two pushes run at once; run it again.\n',
      );
      expect(house.ended).toMatchObject({ verdict: 'ended-lease-lost', exit: 'TERM' });
      expect(house.provisioner.held()).toEqual([]);
      if (phase === 'queue') house.taken.clear();
      house.expectNothingHeld(visit);
    },
  );

  test('of a push is the end of that push alone: the next one gets the lock', async () => {
    const house = new MemoryHouse();
    const first = await hangingIn('run', house);
    const second = house.push();
    await until(() => second.stderr.includes('Waiting'), 'the second to wait');
    house.locks.revoke('shop');
    await first.exit();
    await until(() => second.stdout.length > 0, 'the second to run');
    second.client.signal('TERM');
    expect(await second.exit()).toEqual({ signal: 'TERM' });
    house.expectNothingHeld(first, second);
  });
});

describe('a push to an app that another one holds', () => {
  const BOB = "Waiting for another push to 'shop' (by bob since 2026-01-01 00:00:00 UTC)";

  test('hears so at once and then every ten seconds, until it is its turn', async () => {
    const house = new MemoryHouse();
    const lease = await holdTheLock(house);
    const visit = house.push();
    await house.clock.advance(9_999);
    expect(visit.stderr).toBe(` !     ${BOB}…\n`);
    await house.clock.advance(1);
    await house.clock.advance(15_000);
    expect(visit.stderr.split('\n')).toEqual([
      ` !     ${BOB}…`,
      ` !     ${BOB}, waited 10 seconds…`,
      ` !     ${BOB}, waited 20 seconds…`,
      '',
    ]);
    expect(house.journal).not.toContain('provision');
    if ('release' in lease) await lease.release();
    expect(await visit.exit()).toEqual({ code: 0 });
    await house.clock.advance(60_000);
    expect(visit.stderr.split('\n')).toHaveLength(4);
    expect(house.ended.phasesMs.lock).toBe(25_000);
    house.expectNothingHeld(visit);
  });

  test('hears of the new holder when the holder changes', async () => {
    const house = new MemoryHouse();
    house.platform.register('carol', house.key);
    await holdTheLock(house);
    house.command = sleepUntilSignalled;
    const next = house.push();
    const last = house.push();
    await until(() => last.stderr.includes('by bob'), 'the last to wait');
    house.locks.revoke('shop');
    await until(() => next.stdout.length > 0, 'the next to run');
    await house.clock.advance(10_000);
    expect(last.stderr).toContain('(by alice since');
    next.client.signal('TERM');
    await next.exit();
    await until(() => last.stdout.length > 0, 'the last to run');
    last.client.signal('TERM');
    await last.exit();
    house.expectNothingHeld(next, last);
  });

  test('is refused after its time, with who holds it and that nothing was changed', async () => {
    const house = new MemoryHouse({ lockWaitMs: 60_000 });
    await holdTheLock(house);
    const visit = house.push();
    await house.clock.advance(60_000);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain(
      " !     Another push to 'shop' is running, by bob since 2026-01-01 00:00:00 UTC.\n" +
        ' !     You waited 60 seconds; nothing was changed. Try again when it has ended.\n',
    );
    expect(house.ended).toMatchObject({ verdict: 'refused-busy', exit: 1, phasesMs: { authorize: 0, lock: 60_000 } });
    house.locks.revoke('shop');
    house.expectNothingHeld(visit);
  });

  test('is refused at once where its grant says so', async () => {
    const house = new MemoryHouse();
    house.grantMore = { lockMode: 'refuse' };
    await holdTheLock(house);
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).not.toContain('Waiting');
    expect(visit.stderr).toContain(' !     Nothing was changed. Try again when it has ended.\n');
    house.locks.revoke('shop');
    house.expectNothingHeld(visit);
  });

  test('is not told more while it does not read what it was told', async () => {
    const house = new MemoryHouse({ lockWaitMs: 7_200_000 });
    await holdTheLock(house);
    const visit = house.push();
    visit.client.stderr.pause();
    for (let minutes = 0; minutes < 110; minutes++) await house.clock.advance(60_000);
    expect(visit.channel.heldBytes()).toBeLessThan(64 * 1024);
    visit.client.leave();
    await visit.exit();
    house.locks.revoke('shop');
    house.expectNothingHeld(visit);
  });
});

describe('a drain', () => {
  const NOTICE = ' !     This server is about to restart. Your command has 5 minutes to finish.\n';

  test('refuses what is new, and a greeting too', async () => {
    const house = new MemoryHouse();
    house.serveGit.beginDrain();
    for (const visit of [house.push(), house.visit({ kind: 'shell' })]) {
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stderr).toContain(' !     This server is about to restart and starts nothing new.\n');
    }
    expect(house.observer.ofType('session-ended').map(({ verdict }) => verdict)).toEqual([
      'refused-draining',
      'refused-draining',
    ]);
    expect(house.journal).not.toContain('authorize');
  });

  test.each(['lock', 'provision', 'connect', 'run'] as const)(
    'tells a session in %s how long it has, and ends it when that is over',
    async (phase) => {
      const house = new MemoryHouse();
      const visit = await hangingIn(phase, house);
      house.serveGit.beginDrain();
      await until(() => visit.stderr.endsWith(NOTICE), 'the notice');
      house.serveGit.endDrain();
      expect(await visit.exit()).toEqual({ signal: 'TERM' });
      expect(visit.stderr).toContain(
        ' !     The time to finish is over and this server stops now. Your command was ended; run it again in a moment.\n',
      );
      expectEnded(house, visit, phase, 'drained');
    },
  );

  test('lets a running session finish by itself', async () => {
    const house = new MemoryHouse();
    const running = gate();
    house.command = async () => {
      await running.wait();
      return 0;
    };
    const visit = house.push();
    await running.reached;
    house.serveGit.beginDrain();
    running.open();
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(visit.stderr).toBe(NOTICE);
    house.expectNothingHeld(visit);
  });

  test('waits for no client that does not read its notice', async () => {
    const house = new MemoryHouse();
    house.command = async (process) => {
      process.stderr.write(Buffer.alloc(1_000_000, 'x'));
      return sleepUntilSignalled(process);
    };
    const visit = house.push();
    visit.client.stderr.pause();
    await until(() => visit.channel.stderr.writableNeedDrain, 'standard error to be full');
    house.serveGit.beginDrain();
    house.serveGit.endDrain();
    await within(
      until(() => house.locks.leases().length === 0, 'the lock to be given back'),
      'the end',
    );
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });
});
