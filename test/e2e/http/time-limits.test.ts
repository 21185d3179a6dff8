/** Every limit of a session once under the real clock: a platform, its dynos and a hook that take their time. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import type { Person, SessionLine } from '../../support/door.js';
import { expectInTime, phaseMs, servedMs } from '../../support/in-time.js';
import { needs } from '../../support/programs.js';
import { locksOf } from '../../support/remains.js';
import { FAULT_WORDS, openPlace, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl', 'sshd', 'bwrap');

const LIMIT_SECONDS = 2;
const SESSION_SECONDS = 6;

describe('in front of a platform that takes its time', () => {
  let place: Place;
  let alice: Person;
  let work: string;

  beforeAll(async () => {
    place = await openPlace({
      GITMOUTH_MAX_AUTHORIZE_SECONDS: String(LIMIT_SECONDS),
      GITMOUTH_MAX_PROVISION_SECONDS: String(LIMIT_SECONDS),
      GITMOUTH_MAX_CONNECT_SECONDS: String(LIMIT_SECONDS),
      GITMOUTH_MAX_FIRST_BYTE_SECONDS: String(LIMIT_SECONDS),
      GITMOUTH_MAX_SESSION_SECONDS: String(SESSION_SECONDS),
    });
    alice = await place.person('alice');
    place.platform.createApp('shop', 'alice');
    work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('shop'), 'main');
  });

  afterEach(() => {
    place.platform.api.behave();
    place.platform.hook('shop', 'pre-receive', 'exit 0');
  });

  afterAll(async () => {
    await place.close();
    expect(place.platform.api.violations).toEqual([]);
    expect(place.platform.api.sessions.held).toEqual([]);
  });

  const packedRefs = () => join(place.platform.repository('shop'), 'packed-refs');

  async function latest(count: number): Promise<SessionLine> {
    const session = (await place.door.sessions(count)).at(-1);
    if (session === undefined) throw new Error('no session');
    return session;
  }

  const WAYS = [
    {
      stage: 'authorize',
      words: `Your access could not be checked within ${LIMIT_SECONDS} seconds.`,
      begin: () => place.platform.api.misbehave('authorize', 'slow'),
      end: () => undefined,
    },
    {
      stage: 'provision',
      words: `The place where git runs could not be made within ${LIMIT_SECONDS} seconds.`,
      begin: () => place.platform.api.misbehave('openSession', 'slow'),
      end: () => undefined,
    },
    {
      stage: 'connect',
      words: `The place where git runs could not be reached within ${LIMIT_SECONDS} seconds.`,
      begin: () => place.platform.standStill(),
      end: () => place.platform.goOn(),
    },
    {
      stage: 'start',
      words: `The place where git runs was ready, but git said nothing within ${LIMIT_SECONDS} seconds.`,
      // Git waits for somebody who writes there, and never says a word.
      begin: () => execFileSync('mkfifo', ['-m', '666', packedRefs()]),
      end: () => rmSync(packedRefs()),
    },
  ];

  test.each(WAYS)(
    'the limit of the stage $stage is told, and frees everything',
    async ({ stage, words, begin, end }) => {
      const before = place.door.events('session-ended').length;
      begin();
      try {
        await alice.commit(work, { 'README.md': stage });
        const { code, stderr } = await alice.git(work, 'push', alice.url('shop'), 'main');
        expect(code).not.toBe(0);
        expect(stderr).toContain(` !     ${words}\n !     ${FAULT_WORDS}\n`);
        const session = await latest(before + 1);
        expect(session).toMatchObject({ verdict: 'fault-GM_TIMEOUT', exit: 127, fault: { stage } });
        // The time for git's first byte begins with the run.
        expectInTime(phaseMs(session, stage === 'start' ? 'run' : stage), LIMIT_SECONDS * 1000);
        expect(session['durationMs']).toBeLessThan(SESSION_SECONDS * 1000);
        expect(locksOf(place.door)).toEqual([]);
      } finally {
        end();
      }
      place.platform.api.behave();
      expect(await alice.git(work, 'push', alice.url('shop'), 'main')).toMatchObject({ code: 0 });
    },
  );

  test('the limit of a whole session ends it, with its git', async () => {
    place.platform.hook('shop', 'pre-receive', 'echo begun; exec sleep 60');
    await alice.commit(work, { 'README.md': 'total' });
    const before = place.door.events('session-ended').length;
    const { code, stderr } = await alice.git(work, 'push', alice.url('shop'), 'main');
    expect(code).not.toBe(0);
    expect(stderr).toContain(' !     The time that this session may take is over. Your command was ended.\n');
    const session = await latest(before + 1);
    expect(session).toMatchObject({ verdict: 'ended-time-limit', exit: 'TERM' });
    expectInTime(servedMs(session), SESSION_SECONDS * 1000);
    expect(locksOf(place.door)).toEqual([]);
  });
});
