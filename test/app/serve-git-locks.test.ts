/** What a push does about another one, and how a push ends that must let its lock go. */
import { describe, expect, test } from '@jest/globals';
import type { LockMode } from '../../src/domain/lock-policy.js';
import { never, turns, until } from '../../src/contracts/contract.js';
import { commandFor, sleepUntilSignalled } from '../support/memory-commands.js';
import { MemoryHouse, type Visit } from './memory-house.js';

/** A push whose git runs until it is ended. */
async function running(house: MemoryHouse, stubborn = false): Promise<Visit> {
  house.command = stubborn ? commandFor({ kind: 'ignore-term' }) : sleepUntilSignalled;
  const visit = house.push();
  await until(() => visit.stdout.length > 0, 'git to run');
  return visit;
}

async function inMode(mode: LockMode, by: 'setting' | 'grant'): Promise<{ house: MemoryHouse; first: Visit }> {
  const house = new MemoryHouse({}, by === 'setting' ? mode : 'wait');
  const first = await running(house);
  if (by === 'grant') house.grantMore = { lockMode: mode };
  return { house, first };
}

describe.each(['setting', 'grant'] as const)('where the %s says so, a push', (by) => {
  test('ends the one that runs, whose client is told why, and then runs itself', async () => {
    const { house, first } = await inMode('supersede', by);
    const second = house.push();
    expect(await first.exit()).toEqual({ signal: 'TERM' });
    expect(first.stderr).toContain(
      ' !     A newer push to this app took the place of yours. Your command was ended.\n',
    );
    await until(() => second.stdout.length > 0, 'the second to run');
    expect(second.stderr).toBe(" !     Ending another push to 'shop' (by alice since 2026-01-01 00:00:00 UTC)…\n");
    second.client.signal('TERM');
    await second.exit();
    const verdicts = house.observer.ofType('session-ended').map(({ verdict }) => verdict);
    expect(verdicts).toEqual(['ended-superseded', 'signal-TERM']);
    house.expectNothingHeld(first, second);
  });

  test('is refused at once, with who holds the lock', async () => {
    const { house, first } = await inMode('refuse', by);
    const second = house.push();
    expect(await second.exit()).toEqual({ code: 1 });
    expect(second.stderr).toContain(" !     Another push to 'shop' is running, by alice since");
    first.client.signal('TERM');
    await first.exit();
    house.expectNothingHeld(first, second);
  });
});

test("a platform's grant wins over the setting", async () => {
  const house = new MemoryHouse({}, 'supersede');
  const first = await running(house);
  house.grantMore = { lockMode: 'wait' };
  const second = house.push();
  await until(() => second.stderr.includes('Waiting for'), 'the second to wait');
  await turns();
  expect(house.observer.ofType('session-ended')).toEqual([]);
  for (const visit of [first, second]) {
    await until(() => visit.stdout.length > 0, 'git to run');
    visit.client.signal('TERM');
    await visit.exit();
  }
  house.expectNothingHeld(first, second);
});

test('the mode that a push began with is its own, whatever a reload makes of the setting meanwhile', async () => {
  const house = new MemoryHouse({}, 'wait');
  const first = await running(house);
  let authorize: () => void = () => undefined;
  house.before.authorize = () => new Promise((resolve) => (authorize = resolve));
  const second = house.push();
  await turns();
  house.lockMode = 'refuse';
  delete house.before.authorize;
  const third = house.push();
  expect(await third.exit()).toEqual({ code: 1 });
  authorize();
  await until(() => second.stderr.includes('Waiting for'), 'the second to wait');
  for (const visit of [first, second]) {
    await until(() => visit.stdout.length > 0, 'git to run');
    visit.client.signal('TERM');
    await visit.exit();
  }
  house.expectNothingHeld(first, second, third);
});

describe('a push whose lock an operator releases', () => {
  test('is ended with a sentence, and its dyno has its whole grace', async () => {
    const house = new MemoryHouse();
    const visit = await running(house, true);
    await house.locks.free('shop', never());
    await turns();
    await house.clock.advance(house.transport.graceMs - 1);
    expect(house.transport.running()).toHaveLength(1);
    expect(house.locks.leases()).toHaveLength(1);
    await house.clock.advance(1);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    expect(visit.stderr).toContain(' !     An operator took the lock of this app from your push.');
    expect(house.ended.verdict).toBe('ended-lock-released');
    house.expectNothingHeld(visit);
  });
});

const GRACE_MS = 500;

describe('a push whose lease runs out', () => {
  test('has its dyno killed in a hurry', async () => {
    const house = new MemoryHouse();
    const visit = await running(house, true);
    house.locks.warn('shop', GRACE_MS);
    await turns();
    await house.clock.advance(GRACE_MS - 1);
    expect(house.transport.running()).toHaveLength(1);
    await house.clock.advance(1);
    expect(house.transport.running()).toEqual([]);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    house.expectNothingHeld(visit);
  });

  test('has its dyno killed at once where another may write already', async () => {
    const house = new MemoryHouse();
    const visit = await running(house, true);
    house.locks.revoke('shop');
    await turns();
    await house.clock.advance(0);
    expect(house.transport.running()).toEqual([]);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    house.expectNothingHeld(visit);
  });

  test('while its dyno has the grace of another end, has it cut short', async () => {
    const house = new MemoryHouse();
    const visit = await running(house, true);
    visit.client.leave();
    await turns();
    await house.clock.advance(1_000);
    expect(house.transport.running()).toHaveLength(1);
    house.locks.warn('shop', GRACE_MS);
    await turns();
    await house.clock.advance(GRACE_MS);
    expect(house.transport.running()).toEqual([]);
    await visit.exit();
    house.expectNothingHeld(visit);
  });

  test('after its lock was recalled, while its dyno has the grace of that, has it cut short too', async () => {
    const house = new MemoryHouse();
    const visit = await running(house, true);
    await house.locks.free('shop', never());
    await turns();
    house.locks.warn('shop', GRACE_MS);
    await turns();
    await house.clock.advance(GRACE_MS);
    expect(house.transport.running()).toEqual([]);
    await visit.exit();
    expect(house.ended.verdict).toBe('ended-lock-released');
    house.expectNothingHeld(visit);
  });
});
