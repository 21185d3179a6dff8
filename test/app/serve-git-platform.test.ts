/** What a platform may decide of one session beside yes and no. */
import { describe, expect, test } from '@jest/globals';
import { until } from '../../src/contracts/contract.js';
import { sampleCaller } from '../../src/contracts/samples.js';
import { Fault } from '../../src/domain/fault.js';
import type { KeyBinding } from '../../src/domain/key-binding.js';
import { sleepUntilSignalled } from '../support/memory-commands.js';
import { MemoryHouse } from './memory-house.js';

/** A command that runs until a signal ends it. */
function hang(house: MemoryHouse): void {
  house.command = sleepUntilSignalled;
}

describe('a grant with a limit of time', () => {
  test('ends the session when it is over, down to its dyno, with a sentence', async () => {
    const house = new MemoryHouse();
    house.grantMore = { limits: { sessionMs: 90_000 } };
    hang(house);
    const visit = house.push();
    await until(() => house.transport.running().length > 0, 'git runs');
    await house.clock.advance(89_999);
    expect(house.observer.ofType('session-ended')).toEqual([]);
    await house.clock.advance(1);
    expect(await visit.exit()).toEqual({ signal: 'TERM' });
    expect(visit.stderr).toContain(' !     The time that this session may take is over. Your command was ended.\n');
    expect(house.ended.verdict).toBe('ended-time-limit');
    house.expectNothingHeld(visit);
  });

  test('leaves no clock running after a session that was done before', async () => {
    const house = new MemoryHouse();
    house.grantMore = { limits: { sessionMs: 90_000 } };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 0 });
    house.expectNothingHeld(visit);
  });

  test('of the wait for the lock waits so long, and never longer than all others', async () => {
    for (const [lockWaitMs, waited] of [
      [5_000, 5_000],
      [500_000, 20_000],
    ] as const) {
      const house = new MemoryHouse({ lockWaitMs: 20_000 });
      house.grantMore = { limits: { lockWaitMs } };
      hang(house);
      const first = house.push();
      await until(() => house.transport.running().length > 0, 'the first one runs');
      const second = house.push();
      await until(() => second.stderr.includes('Waiting for another push'), 'the second one waits');
      await house.clock.advance(waited - 1);
      expect(house.observer.ofType('session-ended')).toEqual([]);
      await house.clock.advance(1);
      expect(await second.exit()).toEqual({ code: 1 });
      expect(second.stderr).toContain(`You waited ${waited / 1000} seconds; nothing was changed.`);
      first.client.leave();
      await first.exit();
    }
  });
});

describe('a key that is bound', () => {
  const connected = (house: MemoryHouse, binding: KeyBinding) => {
    const caller = sampleCaller('alice', house.key);
    return house.serveGit.admit({ ...caller, user: { ...caller.user, binding } });
  };

  test('to another app is refused here, and nothing is held for it', async () => {
    const house = new MemoryHouse();
    const visit = house.push('shop', connected(house, { apps: ['blog'] }));
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain(" !     This key is a deploy key, and not one of 'shop'.\n");
    expect(house.ended.verdict).toBe('refused-key-bound');
    expect(house.provisioner.provisions).toEqual([]);
    house.expectNothingHeld(visit);
  });

  test('to reading fetches and does not push', async () => {
    const house = new MemoryHouse();
    const live = connected(house, { apps: ['shop'], access: 'read' });
    expect(await house.fetch('shop', live).exit()).toEqual({ code: 0 });
    const visit = house.push('shop', live);
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain(" !     This key is a deploy key that may only read 'shop'.\n");
  });
});

describe('a greeting', () => {
  test('of a deploy key names what it opens, and no other app of its user', async () => {
    const house = new MemoryHouse();
    for (const app of ['blog', 'wiki']) house.platform.createApp(app, 'alice');
    const binding = { apps: ['blog', 'elsewhere'], access: 'read' } as const;
    house.authenticator.identify = async () => ({ name: 'alice', binding });
    const visit = house.visit({ kind: 'shell' });
    await visit.exit();
    expect(visit.stderr).toContain('\nYour apps:\n\n    blog (to read)\n\n');
    for (const app of ['shop', 'wiki', 'elsewhere']) expect(visit.stderr).not.toContain(app);
  });

  test('names the apps', async () => {
    const house = new MemoryHouse();
    const visit = house.visit({ kind: 'shell' });
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('\nYour apps:\n\n    shop\n');
  });

  test('is given without them when they can not be had, and the outage is on record', async () => {
    const house = new MemoryHouse();
    house.access.trouble.failWith(new Fault('GM_UNAVAILABLE', 'authorize', 'down'));
    const visit = house.visit({ kind: 'shell' });
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(visit.stderr).toContain('Hi alice!');
    expect(visit.stderr).not.toContain('apps');
    expect(house.observer.ofType('fault')).toMatchObject([{ fault: { stage: 'authorize' } }]);
  });
});

test('what a session took up is told when its dyno is given back', async () => {
  const house = new MemoryHouse();
  house.command = async ({ stdout }) => {
    stdout.write('12345');
    return 0;
  };
  await house.push().exit();
  expect(house.provisioner.releases).toMatchObject([
    { usage: { bytesIn: 0, bytesOut: 5, phasesMs: { provision: 0, connect: 0, run: 0 } } },
  ]);
});

describe('a dyno that takes its time', () => {
  const LINE = ' !     Preparing the place where git runs';

  test.each(['provision', 'connect'] as const)('is told of in plain lines (%s), from two seconds on', async (phase) => {
    const house = new MemoryHouse();
    const trouble = phase === 'provision' ? house.provisioner.trouble : house.transport.trouble;
    trouble.stall();
    const visit = house.push();
    await until(() => house.clock.sleeping > 0, 'it waits');
    await house.clock.advance(1_999);
    expect(visit.stderr).toBe('');
    await house.clock.advance(1);
    await until(() => visit.stderr === `${LINE}, waited 2 seconds…\n`, 'the first line');
    await house.clock.advance(4_000);
    await until(() => visit.stderr.endsWith(`${LINE}, waited 6 seconds…\n`), 'the second line');
    visit.client.leave();
    await visit.exit();
    house.expectNothingHeld(visit);
  });

  test('is not told of when it is there at once', async () => {
    const house = new MemoryHouse();
    const visit = house.push();
    await visit.exit();
    expect(visit.stderr).not.toContain(LINE);
  });
});
