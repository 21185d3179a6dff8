/** What is served here as operators of every gitmouth see it, and their word to end it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MemorySessionRegistry, MemorySessionState } from '../../src/adapters/memory/index.js';
import { SessionReports } from '../../src/app/session-reports.js';
import { turns, until } from '../../src/contracts/contract.js';
import { REPORT_EVERY_MS } from '../../src/domain/listed-session.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import { MemoryHouse, type Visit } from './memory-house.js';

let house: MemoryHouse;
let own: MemorySessionRegistry;
/** As another gitmouth, or a command, has it. */
let other: MemorySessionRegistry;
let reports: SessionReports;

beforeEach(() => {
  house = new MemoryHouse();
  house.command = sleepUntilSignalled;
  const state = new MemorySessionState();
  own = new MemorySessionRegistry(house.clock, state);
  other = new MemorySessionRegistry(house.clock, state);
  const { connections, clock, observer } = house;
  reports = new SessionReports({ registry: own, connections, clock, observer, gitmouth: 'host:42' });
  reports.start();
});

afterEach(() => reports.stop());

async function running(visit: Visit): Promise<Visit> {
  await until(() => visit.stdout.length > 0, 'git to run');
  return visit;
}

describe('what is listed', () => {
  test('is every session from its authorization to its end, with what it does and has taken', async () => {
    expect(await other.list()).toEqual([]);
    const visit = await running(house.push());
    visit.client.stdin.write('12345');
    await turns();
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await other.list()).toEqual([
      {
        ...{ id: 's-1', gitmouth: 'host:42', user: 'alice', app: 'shop', service: 'git-receive-pack', phase: 'run' },
        ...{ since: house.clock.now() - REPORT_EVERY_MS, bytesIn: 5, bytesOut: visit.stdout.length },
        ...{ address: '192.0.2.7', software: 'OpenSSH_9.6' },
      },
    ]);
    visit.client.leave();
    await visit.exit();
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await other.list()).toEqual([]);
  });

  test('says who waits, and for what', async () => {
    const first = await running(house.push());
    const second = house.push();
    await until(() => second.stderr.includes('alice'), 'the second push to wait');
    await house.clock.advance(REPORT_EVERY_MS);
    expect((await other.list()).map(({ id, phase }) => [id, phase])).toEqual([
      ['s-1', 'run'],
      ['s-2', 'lock'],
    ]);
    for (const visit of [first, second]) visit.client.leave();
    for (const visit of [first, second]) await visit.exit();
  });

  test('is nothing any more once this gitmouth has stopped', async () => {
    const visit = await running(house.push());
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await other.list()).toHaveLength(1);
    await reports.stop();
    expect(await other.list()).toEqual([]);
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });
});

describe('a session that an operator ends', () => {
  test('is ended with a sentence, and no other one of its connection is', async () => {
    const live = house.connect();
    const [visit, beside] = [await running(house.push('shop', live)), await running(house.fetch('shop', live))];
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await other.end('s-1')).toBe(true);
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    expect(visit.stderr).toContain('An operator ended your command.');
    expect(house.ended).toMatchObject({ session: 's-1', verdict: 'ended-operator' });
    expect(live.sessions().map(({ id }) => id)).toEqual(['s-2']);
    beside.client.leave();
    await beside.exit();
  });
});

describe('a state that is away', () => {
  test('disturbs no session, is told of once until it is back, and shows everything then', async () => {
    const visit = await running(house.push());
    own.trouble.failWith(new Error('down'));
    const problems = () => house.observer.ofType('problem');
    await house.clock.advance(2 * REPORT_EVERY_MS);
    expect(problems()).toEqual([]);
    await house.clock.advance(5 * REPORT_EVERY_MS);
    expect(problems()).toEqual([expect.objectContaining({ message: expect.stringContaining('can not be shown') })]);
    expect(visit.live.sessions()).toHaveLength(1);
    own.trouble.clear();
    await house.clock.advance(REPORT_EVERY_MS);
    expect(await other.list()).toHaveLength(1);
    own.trouble.failWith(new Error('down again'));
    await house.clock.advance(3 * REPORT_EVERY_MS);
    expect(problems()).toHaveLength(2);
    own.trouble.clear();
    visit.client.leave();
    await visit.exit();
  });
});
