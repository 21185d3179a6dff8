/** Clients that read slowly or not at all, and commands that are silent. */
import { describe, expect, test } from '@jest/globals';
import { turns, until } from '../../src/contracts/contract.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import type { MemoryCommand } from '../../src/adapters/memory/index.js';
import { MemoryHouse, type Visit } from './memory-house.js';

const CHUNK = Buffer.alloc(64 * 1024, 'x');
const CHUNKS = 64;

/** Writes some megabytes, each chunk when the one before was taken. */
const writeMuch: MemoryCommand = async ({ stdout }) => {
  for (let n = 0; n < CHUNKS; n++) await new Promise((resolve) => stdout.write(CHUNK, resolve));
  return 0;
};

async function stalledVisit(house: MemoryHouse): Promise<Visit> {
  house.command = writeMuch;
  const visit = house.fetch();
  visit.client.stdout.pause();
  await until(() => visit.channel.stdout.writableNeedDrain, 'the client is stalled');
  await turns();
  return visit;
}

describe('a client that stops reading', () => {
  test('has its dyno stopped after ten seconds, and gets all of it when it reads on', async () => {
    const house = new MemoryHouse();
    const visit = await stalledVisit(house);
    await house.clock.advance(9_000);
    expect(house.transport.paused()).toEqual([]);
    await house.clock.advance(2_000);
    expect(house.transport.paused()).toEqual(['dyno-1']);
    expect(house.taken.size).toBeGreaterThan(0);
    await house.clock.advance(300_000);
    expect(house.transport.paused()).toEqual(['dyno-1']);

    visit.client.stdout.resume();
    await until(() => visit.stdout.length > 0, 'something is taken');
    await house.clock.advance(600);
    expect(house.transport.paused()).toEqual([]);
    await until(
      () => house.observer.ofType('session-ended').length > 0,
      'all is written',
      () => house.clock.advance(100),
    );
    expect(await visit.exit()).toEqual({ code: 0 });
    expect(visit.stdout).toHaveLength(CHUNKS * CHUNK.length);
    house.expectNothingHeld(visit);
  });

  test('has its dyno awake for a signal, and stopped again if it lives on', async () => {
    const house = new MemoryHouse();
    const told: string[] = [];
    const visit = await stalledVisit(house);
    house.command = async (process) => {
      process.trap((name) => told.push(name));
      return writeMuch(process);
    };
    const other = house.fetch();
    other.client.stdout.pause();
    await until(() => other.channel.stdout.writableNeedDrain, 'the other is stalled');
    await house.clock.advance(11_000);
    expect(house.transport.paused()).toEqual(['dyno-1', 'dyno-2']);
    other.client.signal('USR1');
    expect(told).toEqual(['USR1']);
    expect(house.transport.paused()).toEqual(['dyno-1']);
    await house.clock.advance(600);
    expect(house.transport.paused()).toEqual(['dyno-1', 'dyno-2']);
    for (const one of [visit, other]) one.client.leave();
    await house.clock.advance(5_000);
    for (const one of [visit, other]) await one.exit();
    house.expectNothingHeld(visit, other);
  });

  test('may leave, be ended and be drained while its dyno is stopped', async () => {
    for (const end of ['leave', 'drain', 'time'] as const) {
      const house = new MemoryHouse({ sessionMs: 100_000 });
      const visit = await stalledVisit(house);
      await house.clock.advance(20_000);
      expect(house.transport.paused()).toEqual(['dyno-1']);
      if (end === 'leave') visit.client.leave();
      if (end === 'drain') house.serveGit.endDrain();
      if (end === 'time') await house.clock.advance(80_000);
      await until(() => house.transport.running().length === 0, 'the dyno has ended');
      visit.client.stdout.resume();
      await visit.exit();
      expect(house.transport.paused()).toEqual([]);
      house.expectNothingHeld(visit);
    }
  });

  test('is not taken for stalled while it reads a little', async () => {
    const house = new MemoryHouse();
    const visit = await stalledVisit(house);
    for (let n = 0; n < 20; n++) {
      await house.clock.advance(9_000);
      const before = visit.stdout.length;
      visit.client.stdout.resume();
      await until(() => visit.stdout.length > before, 'a chunk is taken');
      visit.client.stdout.pause();
      await turns();
      expect(house.transport.paused()).toEqual([]);
    }
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });
});

describe('a command of which nothing is heard', () => {
  const LINE = ' !     Still running: nothing came from git or its hooks for';

  test('runs on, and its user is told so each minute', async () => {
    const house = new MemoryHouse();
    house.command = sleepUntilSignalled;
    const visit = house.push();
    await until(() => visit.stdout.length > 0, 'git runs');
    await house.clock.advance(50_000);
    expect(visit.stderr).toBe('');
    await house.clock.advance(16_000);
    expect(visit.stderr).toBe(`${LINE} 60 seconds…\n`);
    await house.clock.advance(1_700_000);
    expect(visit.stderr.split('\n')).toHaveLength(1 + 29);
    expect(visit.stderr).toContain(`${LINE} 29 minutes…\n`);
    visit.client.signal('TERM');
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    house.expectNothingHeld(visit);
  });

  test('is told of to nobody who does not read', async () => {
    const house = new MemoryHouse({ stallEndMs: 0 });
    const visit = await stalledVisit(house);
    await house.clock.advance(1_000_000);
    visit.client.stderr.resume();
    expect(visit.stderr).toBe('');
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });

  test('is told of to nobody when it is turned off', async () => {
    const house = new MemoryHouse({ silenceNoticeMs: 0 });
    house.command = sleepUntilSignalled;
    const visit = house.push();
    await house.clock.advance(3_000_000);
    expect(visit.stderr).toBe('');
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });
});
