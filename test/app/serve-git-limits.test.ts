/** Each limit of time: that it fires in time, what the user is told, and that everything is given back. */
import { describe, expect, test } from '@jest/globals';
import { GIVING_UP_MS } from '../../src/app/patience.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import { DEFAULT_TIME_LIMITS } from '../../src/domain/time-limits.js';
import type { Verdict } from '../../src/domain/verdict.js';
import { turns, until } from '../../src/contracts/contract.js';
import { exitWith, sleepUntilSignalled } from '../support/memory-commands.js';
import { command, gate, MemoryHouse, type Call, type Visit } from './memory-house.js';

interface Limit {
  readonly name: string;
  readonly limitMs: number;
  /** Has a request come to where the limit holds. */
  reach(house: MemoryHouse): Promise<Visit>;
  readonly exit: Verdict['exit'];
  readonly verdict: string;
  readonly words: string;
  /** Takes away what the test itself put in the way. */
  readonly after?: (house: MemoryHouse, visit: Visit) => void;
}

const TIMED_OUT = { exit: { code: 127 }, verdict: 'fault-GM_TIMEOUT' } as const;
const TERM = { signal: 'TERM' } as const;
const SILENT = () => new Promise<number>(() => undefined);

const LIMITS: readonly Limit[] = [
  {
    name: 'of the question what a user may do',
    limitMs: DEFAULT_TIME_LIMITS.authorizeMs,
    reach: async (house) => {
      house.access.trouble.stall();
      return house.push();
    },
    ...TIMED_OUT,
    words: 'Your access could not be checked within 30 seconds.',
  },
  {
    name: 'of the wait for the lock',
    limitMs: DEFAULT_TIME_LIMITS.lockWaitMs,
    reach: async (house) => {
      const holder = { user: 'bob', session: 's-0', since: house.clock.now() };
      await house.locks.acquire('shop', holder, 'refuse', 0, () => undefined, new AbortController().signal);
      return house.push();
    },
    exit: { code: 1 },
    verdict: 'refused-busy',
    words: 'You waited 10 minutes; nothing was changed. Try again when it has ended.',
    after: (house) => house.locks.revoke('shop'),
  },
  {
    name: 'of the wait for a free dyno',
    limitMs: DEFAULT_ADMISSION_LIMITS.dynoQueueMs,
    reach: async (house) => {
      await house.fillWithDynos();
      return house.push();
    },
    exit: { code: 1 },
    verdict: 'refused-dynos-busy',
    words: 'You waited 30 seconds; nothing was changed. Try again in a moment.',
    after: (house) => house.taken.clear(),
  },
  {
    name: 'of making a dyno',
    limitMs: DEFAULT_TIME_LIMITS.provisionMs,
    reach: async (house) => {
      house.provisioner.trouble.stall();
      return house.push();
    },
    ...TIMED_OUT,
    words: 'The place where git runs could not be made within 2 minutes.',
  },
  {
    name: 'of the way into the dyno',
    limitMs: DEFAULT_TIME_LIMITS.connectMs,
    reach: async (house) => {
      house.transport.trouble.stall();
      return house.push();
    },
    ...TIMED_OUT,
    words: 'The place where git runs could not be reached within 60 seconds.',
  },
  {
    name: "until git's first byte",
    limitMs: DEFAULT_TIME_LIMITS.firstByteMs,
    reach: async (house) => {
      house.command = SILENT;
      return house.push();
    },
    ...TIMED_OUT,
    words: 'The place where git runs was ready, but git said nothing within 60 seconds.',
  },
  {
    name: 'of a reader that has stalled',
    limitMs: DEFAULT_TIME_LIMITS.stallEndMs,
    reach: async (house) => {
      house.command = async (process) => {
        process.stdout.write(Buffer.alloc(1_000_000));
        return sleepUntilSignalled(process);
      };
      const visit = house.fetch();
      visit.client.stdout.pause();
      await until(() => visit.channel.stdout.writableNeedDrain, 'the client is stalled');
      return visit;
    },
    exit: TERM,
    verdict: 'ended-stalled',
    words: 'Your client took nothing of what waited for it for too long. Your command was ended; run it again.',
    after: (_, visit) => visit.client.stdout.resume(),
  },
  {
    name: 'of the whole session',
    limitMs: DEFAULT_TIME_LIMITS.sessionMs,
    reach: async (house) => {
      house.command = sleepUntilSignalled;
      return house.push();
    },
    exit: TERM,
    verdict: 'ended-time-limit',
    words: 'The time that this session may take is over. Your command was ended.',
  },
  {
    name: 'that a platform has set for this session',
    limitMs: 90_000,
    reach: async (house) => {
      house.grantMore = { limits: { sessionMs: 90_000 } };
      house.command = sleepUntilSignalled;
      return house.push();
    },
    exit: TERM,
    verdict: 'ended-time-limit',
    words: 'The time that this session may take is over. Your command was ended.',
  },
];

/** Lets time pass in hundredths of a limit until something has happened; returns how much passed. */
async function timeUntil(house: MemoryHouse, limitMs: number, happened: () => boolean): Promise<number> {
  const from = house.clock.now();
  while (!happened() && house.clock.now() - from < 2 * limitMs) {
    await house.clock.advance(limitMs / 100);
    await turns(5);
  }
  return house.clock.now() - from;
}

describe('the limit', () => {
  test.each(LIMITS)('$name fires in time, is told, and gives everything back', async (limit) => {
    const { limitMs, reach, exit, verdict, words, after } = limit;
    const house = new MemoryHouse();
    const visit = await reach(house);
    const isEnding = () => house.journal.includes('finish');
    const took = await timeUntil(house, limitMs, isEnding);
    expect(took).toBeGreaterThanOrEqual(limitMs * 0.9);
    expect(took).toBeLessThanOrEqual(limitMs * 1.1);
    after?.(house, visit);
    expect(await visit.exit()).toEqual(exit);
    expect(visit.stderr).toContain(` !     ${words}\n`);
    expect(visit.stderr).toMatch(/ Session s-1\.\n$/);
    expect(house.ended).toMatchObject({ verdict });
    house.expectNothingHeld(visit);
  });

  test('of a whole session holds from the request on, whatever it waits for', async () => {
    const house = new MemoryHouse({ authorizeMs: 1_000_000, sessionMs: 100_000 });
    const asking = gate();
    house.before.authorize = asking.wait;
    house.command = sleepUntilSignalled;
    const visit = house.push();
    await asking.reached;
    await house.clock.advance(60_000);
    asking.open();
    await until(() => visit.stdout.length > 0, 'git runs');
    await house.clock.advance(39_000);
    expect(house.journal).not.toContain('finish');
    await house.clock.advance(1_000);
    expect(await visit.exit()).toEqual(TERM);
    house.expectNothingHeld(visit);
  });

  test('of a grant never widens the one that holds for all', async () => {
    const house = new MemoryHouse({ sessionMs: 50_000 });
    house.grantMore = { limits: { sessionMs: 500_000 } };
    house.command = sleepUntilSignalled;
    const visit = house.push();
    await house.clock.advance(50_000);
    expect(await visit.exit()).toEqual(TERM);
    house.expectNothingHeld(visit);
  });

  test('of a greeting is the same, and its list of apps is left out', async () => {
    const house = new MemoryHouse();
    house.access.trouble.stall();
    const visit = house.visit({ kind: 'shell' });
    await house.clock.advance(DEFAULT_TIME_LIMITS.authorizeMs);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('Hi alice!');
    expect(house.observer.ofType('fault').map(({ fault }) => fault.code)).toEqual(['GM_TIMEOUT']);
    house.expectNothingHeld(visit);
  });
});

describe("until git's first byte", () => {
  test('an archive has no limit: there the client speaks first', async () => {
    const house = new MemoryHouse();
    house.platform.set('shop', { archive: true });
    house.command = SILENT;
    const visit = house.visit(command("git-upload-archive 'shop.git'"));
    await house.clock.advance(10 * DEFAULT_TIME_LIMITS.firstByteMs);
    expect(house.observer.ofType('session-ended')).toEqual([]);
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });

  test.each(['stdout', 'stderr'] as const)('a byte on %s is enough, and no silence counts after it', async (stream) => {
    const house = new MemoryHouse();
    house.command = async (process) => {
      process[stream].write('x');
      return SILENT();
    };
    const visit = house.push();
    await house.clock.advance(50 * DEFAULT_TIME_LIMITS.firstByteMs);
    expect(house.observer.ofType('session-ended')).toEqual([]);
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });

  test('a command that ended without a word has spoken', async () => {
    const house = new MemoryHouse({ firstByteMs: 10 });
    const releasing = gate();
    house.command = exitWith(3);
    house.before.close = releasing.wait;
    const visit = house.push();
    await releasing.reached;
    await house.clock.advance(1_000);
    releasing.open();
    expect(await visit.exit()).toEqual({ code: 3 });
  });
});

describe('one who does not listen when told to give up', () => {
  const DEAF: readonly { call: Call; limitMs: number; verdict: string; late: readonly string[] }[] = [
    { call: 'authorize', limitMs: DEFAULT_TIME_LIMITS.authorizeMs, verdict: 'fault-GM_TIMEOUT', late: [] },
    {
      call: 'acquire',
      limitMs: DEFAULT_TIME_LIMITS.sessionMs,
      verdict: 'ended-time-limit',
      late: ['lease given back'],
    },
    {
      call: 'provision',
      limitMs: DEFAULT_TIME_LIMITS.provisionMs,
      verdict: 'fault-GM_TIMEOUT',
      late: ['release while 0 held'],
    },
    { call: 'open', limitMs: DEFAULT_TIME_LIMITS.connectMs, verdict: 'fault-GM_TIMEOUT', late: ['close'] },
  ];

  test.each(DEAF)('in $call holds nobody, and what comes later is given back', async (row) => {
    const { call, limitMs, verdict, late } = row;
    const house = new MemoryHouse();
    const hanging = gate();
    house.before[call] = hanging.wait;
    house.deaf.add(call);
    house.command = sleepUntilSignalled;
    const visit = house.push();
    await hanging.reached;
    await house.clock.advance(limitMs);
    expect(house.observer.ofType('session-ended')).toEqual([]);
    await house.clock.advance(GIVING_UP_MS);
    await visit.exit();
    expect(house.ended).toMatchObject({ verdict });
    expect(house.locks.leases()).toEqual([]);
    expect(house.taken).toEqual(new Map());
    const before = house.journal.length;
    hanging.open();
    await until(() => house.journal.length >= before + late.length, 'what came late is given back');
    await turns();
    expect(house.journal.slice(before)).toEqual(late);
    house.expectNothingHeld(visit);
  });

  test('but answers just then has it given back before the session ends', async () => {
    const house = new MemoryHouse();
    const hanging = gate();
    house.before.provision = hanging.wait;
    house.deaf.add('provision');
    const visit = house.push();
    await hanging.reached;
    await house.clock.advance(DEFAULT_TIME_LIMITS.provisionMs);
    hanging.open();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(house.journal.slice(-4)).toEqual(['release while 1 held', 'lease given back', 'finish', 'session-ended']);
    house.expectNothingHeld(visit);
  });

  test('and fails at giving back is recorded by itself', async () => {
    const house = new MemoryHouse();
    const hanging = gate();
    house.before.provision = hanging.wait;
    house.deaf.add('provision');
    house.before.release = () => {
      throw new Error('no space left');
    };
    const visit = house.push();
    await hanging.reached;
    visit.client.leave();
    await house.clock.advance(GIVING_UP_MS);
    await visit.exit();
    hanging.open();
    await until(() => house.observer.ofType('fault').length > 0, 'the fault');
    expect(house.observer.ofType('fault')).toMatchObject([{ session: 's-1', fault: { code: 'GM_BUG' } }]);
  });
});
