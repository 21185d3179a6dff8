/** The API server and the dyno host of an Openruko installation die in the middle of things, and come back. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { execute, until, type Person } from '../../support/door.js';
import { Master } from '../../support/master.js';
import { needs } from '../../support/programs.js';
import { expectSound, locksOf, refOf } from '../../support/remains.js';
import { Running } from '../../support/running.js';
import { temporaryFolder } from '../../support/temporary.js';
import { expectNoSecrets, FAULT_WORDS, openPlace, pushing, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl');

const MIB = 1024 ** 2;
/** Longer than the API server is left alone after failures in a row. */
const RECOVERY_LIMIT_MS = 20_000;

describe('in front of an Openruko installation', () => {
  let place: Place;
  let alice: Person;
  let work: string;

  beforeAll(async () => {
    place = await openPlace();
    alice = await place.person('alice', '1');
    place.openruko.createApp('shop', '1');
    work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('shop'), 'main');
  });

  afterAll(() => place.close());

  afterEach(() => {
    expectNoSecrets(place.door.log + place.door.said, place.openruko);
  });

  /** How many there have been, once none is open: a client may be gone before the log tells of it. */
  async function sessions(): Promise<number> {
    const count = (type: string) => place.door.events(type).length;
    await until(
      () => count('connection-opened') === count('connection-closed'),
      30_000,
      () => `a connection is open:\n${place.door.log}`,
    );
    return count('session-ended');
  }

  /** The log line of the request that came after so many. */
  async function sessionAfter(count: number) {
    return (await place.door.sessions(count + 1))[count];
  }

  async function expectUnharmed(tip: string): Promise<void> {
    await expectSound(place.openruko.repository('shop'));
    expect(await refOf(place.openruko.repository('shop'), 'refs/heads/main')).toBe(tip);
    expect(locksOf(place.door)).toEqual([]);
  }

  /** Without a restart of gitmouth. */
  async function expectWorksAgain(): Promise<void> {
    const deadline = performance.now() + RECOVERY_LIMIT_MS;
    for (;;) {
      const { code, stderr } = await alice.git(work, 'push', alice.url('shop'), 'main');
      if (code === 0) break;
      expect(stderr).toContain(FAULT_WORDS);
      if (performance.now() > deadline) throw new Error(`it still does not work: ${stderr}`);
    }
    await expectUnharmed(await alice.must(work, 'rev-parse', 'main'));
    const clone = join(temporaryFolder('clone'), 'it');
    await alice.must('.', 'clone', '--quiet', alice.url('shop'), clone);
  }

  test('an API server that dies leaves a running push alone; new requests are told of a fault until it is back', async () => {
    const [bob, open] = [await place.person('bob', '2'), await Master.open(alice)];
    const gate = join(temporaryFolder('gate'), 'open');
    place.openruko.hook('shop', 'pre-receive', 'echo "the hook begins"', `until [ -e ${gate} ]; do sleep 0.05; done`);
    await alice.commit(work, { 'README.md': 'during the outage\n' });
    const push = pushing(alice, work, 'shop');
    try {
      await push.line('the hook begins');
      await place.openruko.api.stop();
      const over = await open.git(work, 'ls-remote', alice.url('shop'));
      expect({ ...over }).toMatchObject({ code: 128, stderr: expect.stringContaining('Your access could not be') });
      expect(over.stderr).toContain(FAULT_WORDS);
      expect(await place.door.session({ service: 'git-upload-pack' })).toMatchObject({
        verdict: 'fault-GM_UNAVAILABLE',
        exit: 127,
        fault: { stage: 'authorize' },
      });
      // Whose key it is can't be asked either, and nobody is told that theirs is none.
      const { code, stderr } = await bob.ssh(['-T']);
      expect({ code, stderr }).toEqual({ code: 255, stderr: expect.stringContaining('Your key could not be checked') });
      expect(stderr).toContain(FAULT_WORDS);
      for (const text of [stderr, over.stderr]) expect(text).not.toMatch(/denied|may not|not \(or no longer\)/i);
      await execute('touch', [gate]);
      expect(await push.ended()).toMatchObject({ code: 0 });
      expect(await place.door.session({ service: 'git-receive-pack' })).toMatchObject({ verdict: 'exit-0' });
      await expectUnharmed(await alice.must(work, 'rev-parse', 'main'));
    } finally {
      await push.kill();
      await open.close();
      await place.openruko.api.restart();
    }
    await alice.commit(work, { 'README.md': 'after the outage\n' });
    await expectWorksAgain();
  });

  test('a dyno host that dies in the middle of a pushed pack is a fault and no success, until it is back', async () => {
    const tip = await refOf(place.openruko.repository('shop'), 'refs/heads/main');
    await alice.commit(work, { 'large.txt': randomBytes(2 * MIB).toString('base64') });
    place.openruko.nextJobs = { holdAfterBytes: MIB / 2 };
    const before = await sessions();
    const push = pushing(alice, work, 'shop');
    try {
      await until(
        () => place.openruko.dynoHost.holding > 0 || push.hasEnded,
        30_000,
        () => `no pack came: ${push.stderr}`,
      );
      expect(push.hasEnded).toBe(false);
      await place.openruko.dynoHost.stop();
      const { code, stderr } = await push.ended();
      expect(code).not.toBe(0);
      expect(stderr).toContain('The command may or may not have been carried out.');
      expect(stderr).toContain(FAULT_WORDS);
    } finally {
      place.openruko.nextJobs = {};
      await push.kill();
    }
    expect(await sessionAfter(before)).toMatchObject({
      service: 'git-receive-pack',
      exit: 127,
      verdict: 'fault-GM_DYNO_LOST',
      fault: { stage: 'run' },
    });
    await expectUnharmed(tip);
    const then = await sessions();
    const refused = await alice.git(work, 'push', alice.url('shop'), 'main');
    expect(refused).toMatchObject({ code: 128, stderr: expect.stringContaining(FAULT_WORDS) });
    expect(await sessionAfter(then)).toMatchObject({
      verdict: 'fault-GM_UNAVAILABLE',
      exit: 127,
      fault: { stage: 'connect' },
    });
    await place.openruko.dynoHost.restart();
    await expectWorksAgain();
  });

  test('a dyno host that is lost in the middle of a cloned pack is a fault and no success', async () => {
    place.openruko.nextJobs = { cutAfterBytes: MIB / 2 };
    const before = await sessions();
    const clone = new Running('git', ['clone', alice.url('shop'), join(temporaryFolder('clone'), 'it')], {
      env: alice.environment,
    });
    try {
      const { code, stderr } = await clone.ended();
      expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining(FAULT_WORDS) });
    } finally {
      place.openruko.nextJobs = {};
      await clone.kill();
    }
    expect(await sessionAfter(before)).toMatchObject({
      service: 'git-upload-pack',
      exit: 127,
      verdict: 'fault-GM_DYNO_LOST',
      fault: { stage: 'run' },
    });
    await expectWorksAgain();
  });

  test('a dyno that can not be provisioned, or is gone before git speaks, is a fault', async () => {
    for (const [misbehaviour, verdict] of [
      ['not-provisioned', 'fault-GM_DYNO_START'],
      ['closed', 'fault-GM_DYNO_LOST'],
      ['garbage', 'fault-GM_BAD_ANSWER'],
      ['echo-header', 'fault-GM_BAD_ANSWER'],
    ] as const) {
      const before = await sessions();
      place.openruko.nextJobs = { misbehaviour };
      const { code, stderr } = await alice.ssh(["git-upload-pack 'shop.git'"]);
      place.openruko.nextJobs = {};
      expect({ code, stderr }).toEqual({ code: 127, stderr: expect.stringContaining(FAULT_WORDS) });
      expectNoSecrets(stderr, place.openruko);
      expect(await sessionAfter(before)).toMatchObject({ verdict, fault: { stage: 'connect' } });
    }
  });
});
