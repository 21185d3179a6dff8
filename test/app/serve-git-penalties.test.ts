/** What a proven caller does wrong again and again, and what it costs them. */
import { describe, expect, test } from '@jest/globals';
import { sampleCaller, sampleKey } from '../../src/contracts/samples.js';
import { Fault } from '../../src/domain/fault.js';
import { MemoryHouse } from './memory-house.js';

const S = 1_000;

/** Asks for so many apps that alice may not use, one after the other. */
async function guess(house: MemoryHouse, names: number, live = house.connect()): Promise<readonly string[]> {
  const told: string[] = [];
  for (let n = 0; n < names; n++) {
    const visit = house.fetch(`app-${n}`, live);
    expect(await visit.exit()).toEqual({ code: 1 });
    told.push(visit.stderr);
  }
  return told;
}

describe('a key that names one app after the other that it may not use', () => {
  test('has to pause, and is told what for and for how long', async () => {
    // Attack: with a key of one's own, try the names that apps may have. Each costs a request, and an answer says nothing,
    // but a thousand a minute find what a wrong setting left open.
    const house = new MemoryHouse();
    const told = await guess(house, 9);
    expect(told.slice(0, 8).join('')).not.toContain('pause');
    expect(told[8]).toContain(
      ' !     This key has to pause: too many requests named apps that you may not use, or that do not exist.\n' +
        ' !     Nothing was changed. Try again in 16 seconds.\n',
    );
    expect(house.journal.filter((call) => call === 'authorize')).toHaveLength(8);
    expect(house.observer.ofType('penalty-began')).toMatchObject([
      { subject: house.key.sha256, offence: 'no-access', until: house.clock.now() + 16 * S },
    ]);
    expect(house.observer.ofType('session-ended').at(-1)?.verdict).toBe('refused-penalised');
    house.expectNothingHeld();
  });

  test('has to pause for its own apps and for greetings, too, over every connection, and then no more', async () => {
    const house = new MemoryHouse();
    await guess(house, 8);
    for (const visit of [house.push(), house.visit({ kind: 'shell' })]) {
      expect(await visit.exit()).toEqual({ code: 1 });
      expect(visit.stderr).toContain('This key has to pause');
    }
    await house.clock.advance(15 * S);
    expect(await house.push().exit()).toEqual({ code: 1 });
    // What it asks for meanwhile is not held against it.
    await house.clock.advance(1 * S);
    expect(await house.push().exit()).toEqual({ code: 0 });
  });

  test('leaves the user half of it, and its other keys what they were', async () => {
    const house = new MemoryHouse();
    const other = sampleKey();
    house.platform.register('alice', other);
    await guess(house, 8);
    expect(await house.penalties.of({ kind: 'user', name: 'alice' })).toMatchObject({
      isEnforced: false,
      until: house.clock.now() + 8 * S,
    });
    expect(await house.push('shop', house.connect('alice', other)).exit()).toEqual({ code: 0 });
  });

  test.each([
    ['of its user alone', {}],
    ['that is bound to apps', { binding: { apps: ['blog'] } }],
    ['that is bound to reading', { binding: { access: 'read' } }],
  ] as const)('never locks its user out, however much it asks for at once: a key %s', async (_, bound) => {
    // Attack: with a deploy key, of a CI say, ask for a hundred apps in parallel. All have passed the look at the penalties
    // before the first of them is charged, and half of a hundred charges would make the owner pause with every key.
    const house = new MemoryHouse();
    const key = sampleKey();
    house.platform.register('alice', key);
    const weak = () => house.serveGit.admit({ ...sampleCaller('alice', key), user: { name: 'alice', ...bound } });
    const visits = Array.from({ length: 100 }, (_none, n) => house.fetch(`app-${n}`, weak()));
    await Promise.all(visits.map((visit) => visit.exit()));
    expect(visits.filter(({ stderr }) => stderr.includes('pause'))).toEqual([]);
    const user = await house.penalties.of({ kind: 'user', name: 'alice' });
    expect(user?.until).toBe('binding' in bound ? undefined : house.clock.now() + 8 * S);
    expect(await house.push('shop').exit()).toEqual({ code: 0 });
    expect(await house.fetch('shop', weak()).exit()).toEqual({ code: 1 });
  });

  test('is followed by its user, when more of them do so', async () => {
    const house = new MemoryHouse();
    const [second, third] = [sampleKey(), sampleKey()];
    for (const key of [second, third]) house.platform.register('alice', key);
    await guess(house, 8);
    await guess(house, 8, house.connect('alice', second));
    const visit = house.push('shop', house.connect('alice', third));
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('Your account has to pause');
  });

  test.each([['user:alice'], ['192.0.2.0/24']])('is held to nothing where %s is exempt', async (exempt) => {
    const house = new MemoryHouse();
    house.penaltyRules = { ...house.penaltyRules, exempt: [exempt] };
    const told = await guess(house, 12);
    expect(told.join('')).not.toContain('pause');
    expect(await house.penalties.list()).toEqual([]);
  });

  test('is held to nothing where penalties are off, from the next request on', async () => {
    const house = new MemoryHouse();
    await guess(house, 8);
    house.penaltyRules = { ...house.penaltyRules, isOn: false };
    expect(await house.push().exit()).toEqual({ code: 0 });
  });
});

describe('a user who begins more sessions on an app within a minute than one may', () => {
  function house(sessionsPerMinute: number): MemoryHouse {
    const made = new MemoryHouse();
    made.penaltyRules = { ...made.penaltyRules, sessionsPerMinute };
    return made;
  }

  test('is refused, and told when to try again; before access control is asked', async () => {
    const busy = house(2);
    for (let n = 0; n < 2; n++) expect(await busy.fetch().exit()).toEqual({ code: 0 });
    const visit = busy.fetch();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toMatch(
      / ! {5}You began more than 2 commands on 'shop' within a minute, which is the limit\.\n ! {5}Nothing was changed\. Try again in (59|60) seconds\.\n/,
    );
    expect(busy.journal.filter((call) => call === 'authorize')).toHaveLength(2);
    expect(busy.observer.ofType('session-ended').at(-1)?.verdict).toBe('refused-too-fast');
  });

  test('may use other apps meanwhile, and others may use this one', async () => {
    const busy = house(1);
    busy.platform.createApp('blog', 'alice');
    const bobs = sampleKey();
    busy.platform.register('bob', bobs);
    expect(await busy.fetch().exit()).toEqual({ code: 0 });
    expect(await busy.fetch('blog').exit()).toEqual({ code: 0 });
    const refused = busy.fetch('shop', busy.connect('bob', bobs));
    await refused.exit();
    expect(refused.stderr).toContain('You may not fetch from');
  });

  test('has to pause, where that goes on', async () => {
    const busy = house(1);
    for (let n = 0; n < 4; n++) await busy.fetch().exit();
    const visit = busy.fetch();
    await visit.exit();
    expect(visit.stderr).toContain('This key has to pause: too many commands were begun within a minute.');
  });

  test('is counted nowhere where there may be any number', async () => {
    const busy = house(0);
    busy.rateLimiter.trouble.failWith(new Error('not to be asked'));
    for (let n = 0; n < 3; n++) expect(await busy.fetch().exit()).toEqual({ code: 0 });
    expect(busy.observer.ofType('fault')).toEqual([]);
  });
});

test('without an answer of the state everybody is served, and the outage is told once a minute', async () => {
  const house = new MemoryHouse();
  await guess(house, 8);
  house.penalties.trouble.failWith(new Fault('GM_UNAVAILABLE', 'identify', 'away'));
  house.rateLimiter.trouble.failWith(new Fault('GM_UNAVAILABLE', 'authorize', 'away'));
  for (let n = 0; n < 5; n++) {
    expect(await house.push().exit()).toEqual({ code: 0 });
    await house.clock.advance(10 * S);
  }
  expect(house.observer.ofType('fault')).toHaveLength(1);
  await house.clock.advance(20 * S);
  await house.push().exit();
  expect(house.observer.ofType('fault')).toHaveLength(2);
});

test('a state that is slow to answer holds a session up for a moment, and the next ones not at all', async () => {
  const house = new MemoryHouse();
  house.penalties.of = () => new Promise(() => undefined);
  const visit = house.push();
  await house.clock.advance(249);
  expect(house.journal).not.toContain('authorize');
  await house.clock.advance(1);
  expect(await visit.exit()).toEqual({ code: 0 });
  expect(await house.push().exit()).toEqual({ code: 0 });
  expect(house.observer.ofType('fault')).toMatchObject([{ fault: { code: 'GM_TIMEOUT' } }]);
  house.expectNothingHeld(visit);
});
