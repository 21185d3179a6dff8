/** A platform's API and its dynos die in the middle of things, and come back. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import { until, type Person } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { expectSound, locksOf, refOf } from '../../support/remains.js';
import { temporaryFolder } from '../../support/temporary.js';
import { FAULT_WORDS, openPlace, pushing, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl', 'sshd', 'bwrap');

const MIB = 1024 ** 2;
/** Longer than the API is left alone after failures in a row. */
const RECOVERY_LIMIT_MS = 20_000;
const WATCH_MS = 30_000;

describe('in front of a platform with an API of its own', () => {
  let place: Place;
  let alice: Person;
  let work: string;

  beforeAll(async () => {
    place = await openPlace();
    alice = await place.person('alice');
    place.platform.createApp('shop', 'alice');
    work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('shop'), 'main');
  });

  beforeEach(() => {
    place.platform.hook('shop', 'pre-receive', 'exit 0');
  });

  afterAll(async () => {
    await place.close();
    expect(place.platform.api.violations).toEqual([]);
    expect(place.platform.api.sessions.held).toEqual([]);
  });

  const repository = () => place.platform.repository('shop');

  async function expectUnharmed(tip: string): Promise<void> {
    await expectSound(repository());
    expect(await refOf(repository(), 'refs/heads/main')).toBe(tip);
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
    await alice.must('.', 'clone', '--quiet', alice.url('shop'), join(temporaryFolder('clone'), 'it'));
  }

  /** A push that stands in a hook until it is let go. */
  async function standingPush(content: string) {
    const gate = join(temporaryFolder('gate'), 'open');
    place.platform.hook('shop', 'pre-receive', 'echo "the hook begins"', `until [ -e ${gate} ]; do sleep 0.05; done`);
    await alice.commit(work, { 'README.md': content });
    const push = pushing(alice, work, 'shop');
    await push.line('the hook begins');
    return { push, letGo: () => alice.must('.', 'init', '--quiet', gate) };
  }

  function endingOf(session: string) {
    return place.platform.api.sessions.endings.find((ending) => ending.session === session);
  }

  test('an API that dies leaves a running push alone, tells new ones of a fault, and hears of the end when it is back', async () => {
    const { push, letGo } = await standingPush('during the outage\n');
    // The push of the beginning may not be in the log yet when it is over.
    const [first] = await place.door.sessions(1);
    try {
      await place.platform.api.stop();
      const bob = await place.person('bob');
      const { code, stderr } = await bob.ssh(['-T']);
      expect({ code, stderr }).toEqual({ code: 255, stderr: expect.stringContaining('Your key could not be checked') });
      expect(stderr).toContain(FAULT_WORDS);
      expect(stderr).not.toMatch(/denied|may not|not \(or no longer\)/i);
      await letGo();
      expect(await push.ended()).toMatchObject({ code: 0 });
    } finally {
      await push.kill();
      await place.platform.api.restart();
    }
    const ended = (await place.door.sessions(2)).find(({ session }) => session !== first?.session);
    const session = ended?.session ?? '';
    await until(
      () => endingOf(session) !== undefined,
      WATCH_MS,
      () => 'the end was not told',
    );
    expect(endingOf(session)).toMatchObject({ outcome: { kind: 'ran', exit_status: 0 } });
    await expectWorksAgain();
  });

  test('dynos that die in the middle of a pushed pack are a fault and no success, until there are others', async () => {
    const tip = await refOf(repository(), 'refs/heads/main');
    const { push } = await standingPush(randomBytes(2 * MIB).toString('base64'));
    try {
      await place.platform.stopDynos();
      const { code, stderr } = await push.ended();
      expect(code).not.toBe(0);
      expect(stderr).toContain('The command may or may not have been carried out.');
      expect(stderr).toContain(FAULT_WORDS);
    } finally {
      await push.kill();
    }
    const lost = await place.door.session({ verdict: 'fault-GM_DYNO_LOST' });
    expect(lost).toMatchObject({ exit: 127, fault: { stage: 'run' } });
    await expectUnharmed(tip);
    expect(endingOf(lost.session)).toMatchObject({ outcome: { kind: 'faulted', code: 'GM_DYNO_LOST' } });
    const without = await alice.git(work, 'push', alice.url('shop'), 'main');
    expect(without).toMatchObject({ code: 128, stderr: expect.stringContaining(FAULT_WORDS) });
    place.platform.hook('shop', 'pre-receive', 'exit 0');
    await place.platform.startDynos();
    await expectWorksAgain();
  });

  test('a dyno with another host key than the pinned one is a fault: both are in the log, and none with the user', async () => {
    const pinned = `ssh-ed25519 ${Buffer.concat([
      Buffer.from([0, 0, 0, 11]),
      Buffer.from('ssh-ed25519'),
      Buffer.from([0, 0, 0, 32]),
      randomBytes(32),
    ]).toString('base64')}`;
    place.platform.hostKey = pinned;
    const { code, stderr } = await alice.git(work, 'ls-remote', alice.url('shop'));
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining(FAULT_WORDS) });
    const { fault } = await place.door.session({ service: 'git-upload-pack', verdict: 'fault-GM_BAD_ANSWER' });
    const fingerprints = JSON.stringify(fault).match(/SHA256:[A-Za-z0-9+/]{43}/g) ?? [];
    expect(new Set(fingerprints).size).toBe(2);
    for (const fingerprint of fingerprints) expect(stderr).not.toContain(fingerprint);
    place.platform.hostKey = undefined;
    await expectWorksAgain();
  });

  test('a client that is killed ends git in its dyno, and the platform is told', async () => {
    const { push } = await standingPush('and gone\n');
    await push.kill();
    const { session } = await place.door.session({ verdict: 'ended-client-left' });
    await until(
      () => endingOf(session) !== undefined,
      WATCH_MS,
      () => 'the end was not told',
    );
    expect(endingOf(session)).toMatchObject({ outcome: { kind: 'ended', reason: 'client-left' } });
    place.platform.hook('shop', 'pre-receive', 'exit 0');
    await expectWorksAgain();
  });

  test('an end that could not be told is told during a drain, before the program ends', async () => {
    const { push, letGo } = await standingPush('before the drain\n');
    try {
      await place.platform.api.stop();
      await letGo();
      expect(await push.ended()).toMatchObject({ code: 0 });
      place.door.signal('SIGTERM');
      await until(
        () => place.door.events('server-draining').length > 0,
        WATCH_MS,
        () => 'no drain',
      );
    } finally {
      await push.kill();
      await place.platform.api.restart();
    }
    expect(await place.door.ended(60_000)).toBe(0);
    const [session] = place.door.events('session-ended').slice(-1);
    expect(endingOf(String(session?.['session']))).toMatchObject({ outcome: { kind: 'ran', exit_status: 0 } });
  });
});
