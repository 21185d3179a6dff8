/** Those who wait, under the real clock: they are told so from time to time, and at last that it was in vain. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, type Person } from '../support/door.js';
import { HOLDING, holdingHooks, letGo, pushing } from '../support/held-pushes.js';
import { expectInTime, phaseMs } from '../support/in-time.js';
import { needs } from '../support/programs.js';
import { refOf } from '../support/remains.js';
import type { Running } from '../support/running.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

/** Long enough for a second notice. */
const LOCK_WAIT_SECONDS = 11;
const QUEUE_SECONDS = 3;
/** How often those who wait are told so: issue 5. */
const NOTICE_MS = 10_000;

describe('while a push is held', () => {
  const door = new Door({
    GITMOUTH_HOOKS: holdingHooks(),
    GITMOUTH_LOCK_WAIT_SECONDS: String(LOCK_WAIT_SECONDS),
    GITMOUTH_DYNO_QUEUE_SECONDS: String(QUEUE_SECONDS),
    GITMOUTH_DYNOS_PER_USER: '1',
  });
  let ada: Person;
  let work: string;
  let push: Running;

  beforeAll(async () => {
    await door.start();
    ada = await door.person('ada');
    work = await ada.repository();
    push = pushing(ada, work, 'app');
    await push.line(HOLDING);
  });

  afterAll(async () => {
    await push.kill();
    await door.stop();
  });

  async function expectToWaitForTheLock(): Promise<void> {
    const waiting = pushing(ada, work, 'app', 'other');
    const first = await waiting.line(" !     Waiting for another push to 'app' (by ada since ");
    const second = await waiting.line(' UTC), waited 10 seconds…');
    const { code, stderr } = await waiting.ended();
    expect(code).not.toBe(0);
    expect(first.text).toMatch(/ UTC\)…$/);
    expectInTime(second.atMs - first.atMs, NOTICE_MS);
    expect(stderr.match(/Waiting/g)).toHaveLength(2);
    expect(stderr).toMatch(
      / !     Another push to 'app' is running, by ada since .* UTC\.\n !     You waited 11 seconds; nothing was changed\. Try again when it has ended\.\n/,
    );
    const session = await door.session({ verdict: 'refused-busy' });
    expect(session.exit).toBe(1);
    expectInTime(phaseMs(session, 'lock'), LOCK_WAIT_SECONDS * 1000);
  }

  async function expectToWaitForADyno(): Promise<void> {
    const { code, stderr } = await pushing(ada, work, 'another').ended();
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      ' !     Waiting for your turn (1 command of yours runs here)…\n' +
        ' !     Too much at once: 1 command of yours runs here, which is the limit.\n' +
        ' !     You waited 3 seconds; nothing was changed. Try again when one has ended.\n',
    );
    const session = await door.session({ verdict: 'refused-dynos-busy' });
    expect(session.exit).toBe(1);
    expectInTime(phaseMs(session, 'queue'), QUEUE_SECONDS * 1000);
  }

  test('others wait for its lock or for a dyno, are told so, and give up in time; it ends well', async () => {
    await Promise.all([expectToWaitForTheLock(), expectToWaitForADyno()]);
    letGo(door, 'app');
    expect(await push.ended()).toMatchObject({ code: 0 });
    expect(await refOf(door.repository('app'), 'refs/heads/other')).toBe('');
  });
});
