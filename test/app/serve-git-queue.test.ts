/** Requests for which no dyno is free: what they wait for, what they are told, and how the wait ends. */
import { describe, expect, test } from '@jest/globals';
import { until } from '../../src/contracts/contract.js';
import { sampleKey } from '../../src/contracts/samples.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import { MemoryHouse, type Visit } from './memory-house.js';

/** A house of few dynos, in which git runs until it is told to end. */
function house(limits: ConstructorParameters<typeof MemoryHouse>[0] = {}): MemoryHouse {
  const made = new MemoryHouse({ dynosPerUser: 2, ...limits });
  made.command = sleepUntilSignalled;
  return made;
}

async function running(visit: Visit): Promise<Visit> {
  await until(() => visit.stdout.length > 0, 'git to run');
  return visit;
}

async function waiting(visit: Visit): Promise<Visit> {
  await until(() => visit.stderr.includes('Waiting for your turn'), 'the wait to begin');
  return visit;
}

async function end(...visits: readonly Visit[]): Promise<void> {
  for (const visit of visits) {
    visit.client.signal('TERM');
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
  }
}

describe('a request that finds no dyno free', () => {
  test('hears so at once and then every ten seconds, until one of the others has ended', async () => {
    const open = house();
    const [one, two] = [await running(open.fetch()), await running(open.fetch())];
    const visit = await waiting(open.fetch());
    await open.clock.advance(25_000);
    const words = ' !     Waiting for your turn (2 commands of yours run here)';
    expect(visit.stderr.split('\n')).toEqual([
      `${words}…`,
      `${words}, waited 10 seconds…`,
      `${words}, waited 20 seconds…`,
      '',
    ]);
    expect(open.journal.filter((call) => call === 'provision')).toHaveLength(2);
    await end(one);
    await running(visit);
    await open.clock.advance(60_000);
    expect(visit.stderr.split('\n')).toHaveLength(4);
    await end(two, visit);
    const line = open.observer.ofType('session-ended').find(({ session }) => session === 's-3');
    expect(line?.phasesMs).toMatchObject({ authorize: 0, queue: 25_000, provision: 0 });
    open.expectNothingHeld(one, two, visit);
  });

  test('is refused after its time, with what runs and that nothing was changed', async () => {
    const open = house();
    const others = [await running(open.fetch()), await running(open.fetch())];
    const visit = await waiting(open.push());
    await open.clock.advance(30_000);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr.split('\n').slice(-4)).toEqual([
      ' !     Too much at once: 2 commands of yours run here, which is the limit.',
      ' !     You waited 30 seconds; nothing was changed. Try again when one has ended.',
      ` !     You are alice, by the key ${open.key.sha256}. Session s-3.`,
      '',
    ]);
    expect(open.ended).toMatchObject({ verdict: 'refused-dynos-busy', exit: 1, phasesMs: { lock: 0, queue: 30_000 } });
    expect(open.locks.leases()).toEqual([]);
    await end(...others);
    open.expectNothingHeld(...others, visit);
  });

  test('is refused at once where the queue is full', async () => {
    const open = house({ dynoQueue: 1 });
    const others = [await running(open.fetch()), await running(open.fetch())];
    const queued = await waiting(open.fetch());
    const visit = open.fetch();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain(' !     Nothing was changed. Try again when one has ended.\n');
    await end(...others);
    await running(queued);
    await end(queued);
    open.expectNothingHeld(...others, queued, visit);
  });

  test('over one connection waits for its own ones, and over another gets a dyno', async () => {
    const open = house({ dynosPerConnection: 1 });
    const live = open.connect();
    const first = await running(open.fetch('shop', live));
    const second = await waiting(open.fetch('shop', live));
    expect(second.stderr).toBe(' !     Waiting for your turn (1 command runs over this connection)…\n');
    await end(await running(open.fetch('shop', open.connect())), first);
    await end(await running(second));
    open.expectNothingHeld(first, second);
  });

  test('waits behind nobody of a user who has more dynos', async () => {
    const open = house({ dynos: 2 });
    const key = sampleKey();
    open.platform.register('bob', key);
    open.platform.share('shop', 'bob', 'read');
    const [one, two] = [await running(open.fetch()), await running(open.fetch())];
    const late = await waiting(open.fetch());
    const bob = await waiting(open.fetch('shop', open.connect('bob', key)));
    await end(one);
    await running(bob);
    expect(late.stdout).toHaveLength(0);
    await end(bob);
    await end(two, await running(late));
    open.expectNothingHeld(one, two, late, bob);
  });
});

describe('the place of a dyno', () => {
  test('is none that a push takes while it waits for its lock', async () => {
    const open = house();
    const first = await running(open.push());
    const second = open.push();
    await until(() => second.stderr.includes('Waiting for another push'), 'the wait for the lock');
    expect(open.taken.get('dynos all')).toBe(1);
    const fetch = await running(open.fetch());
    await end(fetch, first);
    await end(await running(second));
    open.expectNothingHeld(first, second, fetch);
  });

  test('is taken until the dyno was given back', async () => {
    const open = house();
    const seen: (number | undefined)[] = [];
    for (const call of ['authorize', 'acquire', 'provision', 'open', 'close', 'release'] as const) {
      open.before[call] = () => void seen.push(open.taken.get('dynos-of-user alice'));
    }
    await end(await running(open.push()));
    expect(seen).toEqual([undefined, undefined, 1, 1, 1, 1]);
    open.expectNothingHeld();
  });

  test.each(['provision', 'open', 'run', 'close', 'release'] as const)(
    'is given back when there is a bug in %s',
    async (call) => {
      const open = new MemoryHouse();
      open.before[call] = () => {
        throw new TypeError('a bug');
      };
      const visit = open.fetch();
      await visit.exit();
      expect(open.ended.fault).toMatchObject({ code: 'GM_BUG' });
      expect(open.taken).toEqual(new Map());
    },
  );

  test('is given back when the provisioner refuses', async () => {
    const open = house();
    open.provisioner.refusal = { kind: 'too-many-apps', app: 'shop', limit: 7 };
    const visit = open.push();
    expect(await visit.exit()).toEqual({ code: 1 });
    open.expectNothingHeld(visit);
  });
});

describe('a drain', () => {
  test('refuses at once who waits for a dyno, without promising them time, and leaves who runs', async () => {
    const open = house();
    const others = [await running(open.fetch()), await running(open.fetch())];
    const visit = await waiting(open.push());
    open.serveGit.beginDrain();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr.split('\n').slice(1)).toEqual([
      ' !     This server is about to restart and starts nothing new.',
      ' !     Try again in a moment.',
      ` !     You are alice, by the key ${open.key.sha256}. Session s-3.`,
      '',
    ]);
    expect(open.ended.verdict).toBe('refused-draining');
    for (const other of others) expect(other.stderr).toContain('Your command has 5 minutes to finish.');
    await end(...others);
    open.expectNothingHeld(...others, visit);
  });

  test('lets a push that waits for its lock go on, if there is a dyno for it then', async () => {
    const open = house();
    const first = await running(open.push());
    const second = open.push();
    await until(() => second.stderr.includes('Waiting for another push'), 'the wait for the lock');
    open.serveGit.beginDrain();
    await end(first);
    await end(await running(second));
    open.expectNothingHeld(first, second);
  });
});
