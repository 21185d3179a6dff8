/** What a platform is told of sessions that have ended, through outages and to the last moment. */
import { describe, expect, test } from '@jest/globals';
import { Outbox, type Send } from '../../../src/adapters/http/outbox.js';
import type { Reception } from '../../../src/adapters/http/platform-client.js';
import { endingOf, NOTHING_USED } from '../../../src/adapters/http/questions.js';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { MemoryObserver } from '../../../src/adapters/memory/observer.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { never, turns, within } from '../../../src/contracts/contract.js';
import { sampleCaller } from '../../../src/contracts/samples.js';

const KNOWN: Reception = { kind: 'known' };
const caller = sampleCaller('alice');

/** An outbox, and a platform that answers as it is told. */
class Post {
  readonly clock = new MemoryClock();
  readonly observer = new MemoryObserver();
  /** Session and time of each attempt. */
  readonly attempts: { readonly session: string; readonly at: number }[] = [];
  readonly delivered: string[] = [];
  answer: Send = async () => KNOWN;
  readonly outbox: Outbox;

  constructor(most?: number) {
    const send: Send = async (ending, signal) => {
      this.attempts.push({ session: ending.session, at: this.clock.now() });
      const reception = await this.answer(ending, signal);
      if (reception.kind === 'known') this.delivered.push(ending.session);
      return reception;
    };
    this.outbox = new Outbox(send, this.observer, this.clock, most);
  }

  post(session: string): Promise<void> {
    return this.outbox.post(endingOf({ id: session, caller }, 'dyno-1', { kind: 'abandoned' }, NOTHING_USED));
  }

  goDown(): void {
    this.answer = () => Promise.reject(Trouble.down('it is away'));
  }

  comeBack(): void {
    this.answer = async () => KNOWN;
  }

  get problems(): readonly string[] {
    return this.observer.ofType('problem').map(({ session }) => session ?? '');
  }
}

function sleeping(signal: AbortSignal): Promise<Reception> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

const DELAYED = 'could not be told yet that 1 session(s) have ended, and is asked on: it';

describe('in the background', () => {
  test('what is taken at once is sent once', async () => {
    const post = new Post();
    await post.post('s-1');
    await post.clock.advance(3_600_000);
    expect(post.attempts).toHaveLength(1);
    expect(post.delivered).toEqual(['s-1']);
    expect(post.clock.sleeping).toBe(0);
  });

  test('what is not is tried again, with pauses that grow to a minute, for as long as it takes', async () => {
    const post = new Post();
    post.goDown();
    await post.post('s-1');
    expect(post.attempts).toHaveLength(1);
    await post.clock.advance(24 * 3_600_000);
    const pauses = post.attempts.slice(1).map(({ at }, index) => (at - (post.attempts[index]?.at ?? 0)) / 1000);
    expect(pauses.length).toBeGreaterThan(1_400);
    for (const [index, pause] of pauses.entries()) {
      const longest = Math.min(60, 2 ** index);
      expect(pause).toBeGreaterThanOrEqual(longest / 2);
      expect(pause).toBeLessThanOrEqual(longest);
    }
    post.comeBack();
    await post.clock.advance(60_000);
    expect(post.delivered).toEqual(['s-1']);
    // Once, however long it lasts.
    expect(post.observer.events).toEqual([{ type: 'problem', message: expect.stringContaining(DELAYED) }]);
    expect(post.clock.sleeping).toBe(0);
  });

  test('whoever posts waits for the first attempt alone, and hears of no failure of any kind', async () => {
    const post = new Post();
    for (const answer of [
      () => Promise.reject(Trouble.late('it was late')),
      () => Promise.reject(new TypeError('a bug')),
      async (): Promise<Reception> => ({ kind: 'rejected', words: 'no' }),
    ]) {
      post.answer = answer;
      await within(post.post('s-1'), 'the first attempt');
    }
    expect(post.attempts).toHaveLength(3);
    expect(post.clock.sleeping).toBe(3);
    post.outbox.close();
  });

  test('what is refused again and again is given up after ten times, and said so once', async () => {
    const post = new Post();
    post.answer = async () => ({ kind: 'rejected', words: 'it answered with status 422' });
    await post.post('s-1');
    await post.clock.advance(24 * 3_600_000);
    expect(post.attempts).toHaveLength(10);
    expect(post.observer.events).toEqual([
      { type: 'problem', message: expect.stringContaining(DELAYED) },
      {
        type: 'problem',
        message: expect.stringContaining('may hold its dyno: it answered with status 422'),
        session: 's-1',
        connection: caller.connection.id,
      },
    ]);
    expect(post.clock.sleeping).toBe(0);
  });

  test('a refusal that ends in time is none for ever', async () => {
    const post = new Post();
    post.answer = async () => ({ kind: 'rejected', words: 'no' });
    await post.post('s-1');
    await post.clock.advance(5_000);
    post.comeBack();
    await post.clock.advance(60_000);
    expect(post.delivered).toEqual(['s-1']);
    expect(post.observer.events).toEqual([]);
  });

  test('no more than so many wait: the oldest are let go, and said so once each', async () => {
    const post = new Post(3);
    post.goDown();
    for (let session = 1; session <= 5; session++) await post.post(`s-${session}`);
    expect(post.problems).toEqual(['s-1', 's-2']);
    expect(post.clock.sleeping).toBe(3);
    post.comeBack();
    await post.clock.advance(60_000);
    expect(post.delivered.sort()).toEqual(['s-3', 's-4', 's-5']);
    post.outbox.close();
    expect(post.problems).toEqual(['s-1', 's-2']);
  });

  test('a platform that comes back is not told of everything at once', async () => {
    const post = new Post();
    post.goDown();
    for (let session = 0; session < 50; session++) await post.post(`s-${session}`);
    let most = 0;
    let now = 0;
    post.answer = async () => {
      most = Math.max(most, (now += 1));
      await turns(2);
      now -= 1;
      return KNOWN;
    };
    await post.outbox.finish(never());
    expect(new Set(post.delivered).size).toBe(50);
    expect(most).toBe(16);
  });
});

describe('at the end', () => {
  test('everything that waits is delivered at once, without its pause', async () => {
    const post = new Post();
    post.goDown();
    for (const session of ['s-1', 's-2', 's-3']) await post.post(session);
    await post.clock.advance(600_000);
    post.comeBack();
    await within(post.outbox.finish(never()), 'the end');
    expect(post.delivered.sort()).toEqual(['s-1', 's-2', 's-3']);
    const delayed = 'could not be told yet that 3 session(s) have ended';
    expect(post.observer.events).toEqual([{ type: 'problem', message: expect.stringContaining(delayed) }]);
    expect(post.clock.sleeping).toBe(0);
  });

  test('a platform that is down is tried each second, and delivered to when it comes back in time', async () => {
    const post = new Post();
    post.goDown();
    await post.post('s-1');
    await post.clock.advance(600_000);
    const before = post.attempts.length;
    const finished = post.outbox.finish(never());
    await post.clock.advance(10_000);
    expect(post.attempts.length - before).toBeGreaterThanOrEqual(10);
    post.comeBack();
    await post.clock.advance(1_000);
    await within(finished, 'the end');
    expect(post.delivered).toEqual(['s-1']);
  });

  test('what is still being tried for the first time is waited for', async () => {
    const post = new Post();
    let deliver = () => undefined as void;
    post.answer = () => new Promise((resolve) => (deliver = () => resolve(KNOWN)));
    const posted = post.post('s-1');
    const finished = post.outbox.finish(never());
    await turns();
    expect(post.delivered).toEqual([]);
    deliver();
    await within(Promise.all([posted, finished]), 'the end');
    expect(post.delivered).toEqual(['s-1']);
  });

  test('when the time is over what is left is said, once each, and nothing is tried any more', async () => {
    const post = new Post();
    post.goDown();
    for (const session of ['s-1', 's-2']) await post.post(session);
    post.answer = (_, signal) => sleeping(signal);
    const hanging = post.post('s-3');
    const time = new AbortController();
    const finished = post.outbox.finish(time.signal);
    await turns();
    time.abort();
    await within(Promise.all([finished, hanging]), 'the end');
    expect([...post.problems].sort()).toEqual(['s-1', 's-2', 's-3']);
    expect(post.clock.sleeping).toBe(0);
    const tried = post.attempts.length;
    post.outbox.close();
    await post.clock.advance(600_000);
    expect(post.problems).toHaveLength(3);
    expect(post.attempts).toHaveLength(tried);
  });

  test('time that was over before gives nothing any time', async () => {
    const post = new Post();
    post.goDown();
    await post.post('s-1');
    await within(post.outbox.finish(AbortSignal.abort()), 'the end');
    expect(post.problems).toEqual(['s-1']);
  });

  test('what comes after the end is tried once, and said when it fails', async () => {
    const post = new Post();
    await post.outbox.finish(never());
    await post.post('s-1');
    post.goDown();
    await post.post('s-2');
    expect(post.delivered).toEqual(['s-1']);
    expect(post.problems).toEqual(['s-2']);
    expect(post.clock.sleeping).toBe(0);
  });
});
