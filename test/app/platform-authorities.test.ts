/** The authorities that a platform names: asked for again and again, and kept while it says nothing. */
import { describe, expect, test } from '@jest/globals';
import { MemoryClock, MemoryObserver } from '../../src/adapters/memory/index.js';
import { readKeyLine } from '../../src/adapters/ssh2/public-keys.js';
import { PlatformAuthorities } from '../../src/app/platform-authorities.js';
import { never, turns } from '../../src/contracts/contract.js';
import { Fault } from '../../src/domain/fault.js';

const ONE = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0k25/ilaBLpGmp79/6b09sjZw4SflkkNhCT983G6fv';
const TWO = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGzy8+BfOZesEY0tT/Rc3iLysKy2M+lXH40bjZMunIll';
const MINUTE_MS = 60_000;

/** A platform that says this, or fails, until it says something else. */
function platform(says: readonly string[] | Error) {
  const clock = new MemoryClock();
  const observer = new MemoryObserver();
  const place = { says, until: Promise.resolve(), isWanted: true, asked: 0, changes: 0 };
  const authorities = new PlatformAuthorities({
    ask: async (signal) => {
      signal.throwIfAborted();
      place.asked += 1;
      const { says: answer } = place;
      await place.until;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    readKeyLine,
    isWanted: () => place.isWanted,
    onChange: () => (place.changes += 1),
    observer,
    clock,
  });
  const known = () => authorities.known?.map(({ blob }) => `ssh-ed25519 ${Buffer.from(blob).toString('base64')}`);
  const problems = () => observer.ofType('problem').map(({ message }) => message);
  return { place, clock, authorities, known, problems };
}

const AWAY = new Fault('GM_UNAVAILABLE', 'identify', 'the platform is away');

describe('the authorities of a platform', () => {
  test('are asked for at the start and once a minute, until the end', async () => {
    const { place, clock, authorities, known } = platform([ONE]);
    await authorities.prepare(never());
    expect([known(), place.asked, place.changes]).toEqual([[ONE], 1, 1]);
    await clock.advance(MINUTE_MS - 1);
    expect(place.asked).toBe(1);
    place.says = [TWO];
    await clock.advance(1);
    await turns();
    expect([known(), place.asked, place.changes]).toEqual([[TWO], 2, 2]);
    authorities.close();
    await turns();
    expect(clock.sleeping).toBe(0);
  });

  test('are those that were named last, while the platform is away; that is told once for each outage', async () => {
    const { place, authorities, known, problems } = platform([ONE]);
    await authorities.refresh();
    place.says = AWAY;
    for (let round = 0; round < 3; round++) await authorities.refresh();
    expect(known()).toEqual([ONE]);
    expect(problems()).toEqual([
      'the platform does not say which authorities count: those that it named last still do',
    ]);
    place.says = [];
    await authorities.refresh();
    expect(known()).toEqual([]);
    place.says = AWAY;
    await authorities.refresh();
    expect(problems()).toHaveLength(2);
  });

  test('are not known before it has named them once; no start waits for that', async () => {
    const { place, clock, authorities, known, problems } = platform(AWAY);
    await authorities.prepare(never());
    expect(known()).toBeUndefined();
    expect(problems()).toEqual([
      'the platform does not say which authorities count: no certificate can be judged until it does',
    ]);
    place.says = [ONE];
    await clock.advance(MINUTE_MS);
    await turns();
    expect(known()).toEqual([ONE]);
    authorities.close();
  });

  test('are left as they are by a list with a line that is no key', async () => {
    const { place, authorities, known, problems } = platform([ONE]);
    await authorities.refresh();
    place.says = [TWO, 'ssh-ed25519 AAAA'];
    await authorities.refresh();
    expect(known()).toEqual([ONE]);
    expect(problems()).toHaveLength(1);
  });

  test('are those of the latest question, whichever answer comes last', async () => {
    const { place, authorities, known } = platform([ONE, TWO]);
    let release = () => undefined as void;
    place.until = new Promise((resolve) => (release = resolve));
    const slow = authorities.refresh();
    place.until = Promise.resolve();
    place.says = [TWO];
    await authorities.refresh();
    release();
    await slow;
    expect([known(), place.changes]).toEqual([[TWO], 1]);
  });

  test('are not asked for where they are not wanted', async () => {
    const { place, clock, authorities, known } = platform([ONE]);
    place.isWanted = false;
    await authorities.prepare(never());
    await clock.advance(MINUTE_MS);
    expect([known(), place.asked]).toEqual([undefined, 0]);
    authorities.close();
  });

  test('cause no complaint of a start that was given up', async () => {
    const { authorities, known, problems } = platform([ONE]);
    await authorities.prepare(AbortSignal.abort());
    authorities.close();
    expect([known(), problems()]).toEqual([undefined, []]);
  });
});
