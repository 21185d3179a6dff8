/** Leaving a server alone that keeps failing. */
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Call } from '../../../src/adapters/remote/http-caller.js';
import type { Patience } from '../../../src/adapters/remote/patient-caller.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { never, rejectionOf, turns, until, within } from '../../../src/contracts/contract.js';
import {
  breakIt,
  broken,
  calling,
  fine,
  HOUR_MS,
  later,
  peer,
  QUESTION,
  reset,
  type Ask,
  type Behaviour,
} from './ground.js';

/** What comes of the one question that is let through when the rest is over. */
async function letThrough(ask: Ask, signal = never(), call: Partial<Call> = {}): Promise<unknown> {
  for (;;) {
    const outcome = await ask(QUESTION, signal, call).catch((error: unknown) => error);
    if (!(outcome instanceof Trouble)) return outcome;
    await turns(1);
  }
}

/** Has a question try for all, and leaves it. What comes back answers it. */
async function leaveTheTrial(
  ask: Ask,
  call: Partial<Call> = { timeoutMs: HOUR_MS },
  onClose: () => void = () => undefined,
): Promise<(how: Behaviour) => void> {
  let tried: ServerResponse | undefined;
  peer.behave = (response) => (tried = response).once('close', onClose);
  const left = new AbortController();
  const trial = letThrough(ask, left.signal, call);
  await until(() => tried !== undefined, 'it tries');
  left.abort(new Error('the client left'));
  expect(await within(trial, 'the end')).toBe(left.signal.reason);
  return (how) => tried && how(tried);
}

describe('the breaker', () => {
  test('keeps calls away after so many failures in a row, answers of 5xx and lost ones alike', () =>
    calling({}, async (ask) => {
      peer.behave = broken;
      await ask();
      peer.behave = reset;
      await expect(ask()).rejects.toThrow('hung up');
      await expect(ask()).rejects.toThrow('hung up');
      peer.behave = fine;
      await expect(ask()).rejects.toMatchObject({ code: 'GM_UNAVAILABLE', mayHaveArrived: false });
      await expect(ask()).rejects.toThrow('left alone');
      expect(peer.calls).toBe(3);
    }));

  test('counts anew after each success, and no question that was given up', () =>
    calling({}, async (ask) => {
      for (let round = 0; round < 3; round++) {
        await breakIt(ask, 2);
        peer.behave = fine;
        expect(await ask()).toBe('200 fine');
      }
      peer.behave = () => undefined;
      for (let round = 0; round < 5; round++) {
        const giveUp = new AbortController();
        const before = peer.calls;
        const question = ask(QUESTION, giveUp.signal);
        await until(() => peer.calls > before, 'it is asked');
        giveUp.abort(new Error('given up'));
        expect(await rejectionOf(question)).toBe(giveUp.signal.reason);
      }
      peer.behave = fine;
      expect(await ask()).toBe('200 fine');
    }));

  test('lets one try after each rest and nobody beside it, and all when that one succeeds', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      let answer = () => undefined as void;
      peer.behave = (response) => void (answer = () => fine(response));
      const trial = letThrough(ask);
      await until(() => peer.calls === 4, 'one tries');
      await expect(ask()).rejects.toThrow('left alone');
      answer();
      expect(await trial).toBe('200 fine');
      peer.behave = fine;
      expect(await ask()).toBe('200 fine');
      await breakIt(ask, 2);
    }));

  test('begins another rest when the one that tries fails, and that one is asked once', () =>
    calling({ restMs: 200 }, async (ask) => {
      await breakIt(ask);
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      await until(async () => (await ask(thrice).catch(() => '')) === '500 broken', 'one tries');
      await expect(ask()).rejects.toThrow('left alone');
      expect(peer.calls).toBe(4);
    }));

  test('lets the one that tries go on when whoever asked has left, who is free at once: all may ask when it succeeds', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      const answer = await leaveTheTrial(ask);
      peer.behave = fine;
      // Were it over, the rest would be so soon as well, and another one let through.
      const enough = performance.now() + 100;
      while (performance.now() < enough) await expect(ask()).rejects.toThrow('left alone');
      expect(peer.calls).toBe(4);
      answer(fine);
      await until(async () => (await ask().catch(() => '')) === '200 fine', 'all may ask');
      // Those that were kept away did not get here.
      expect(peer.calls).toBe(5);
      expect(await ask()).toBe('200 fine');
    }));

  test('begins another rest when the one that tries fails, though whoever asked has left', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      const answer = await leaveTheTrial(ask);
      peer.behave = fine;
      const begun = Date.now();
      answer(broken);
      expect(await letThrough(ask)).toBe('200 fine');
      expect(Date.now() - begun).toBeGreaterThanOrEqual(50);
    }));

  test('bounds the one that tries by the time of a call, though nobody waits for it', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      await leaveTheTrial(ask, { timeoutMs: 100 });
      peer.behave = fine;
      expect(await within(letThrough(ask), 'another may try')).toBe('200 fine');
    }));

  test('ends the one that tries when the caller is closed', () =>
    calling({ restMs: 50 }, async (ask, caller) => {
      await breakIt(ask);
      let isOver = false;
      await leaveTheTrial(ask, undefined, () => (isOver = true));
      await turns(10);
      expect(isOver).toBe(false);
      caller.close();
      await until(() => isOver, 'the end of the call');
    }));

  test('takes 429 for a sign of life, in a rest as well, and asks again all the same', () =>
    calling({ restMs: 50 }, async (ask) => {
      peer.behave = later;
      for (let round = 0; round < 5; round++) expect(await ask({ attempts: 2, breaker: 'counts' })).toBe('429 later');
      expect(peer.calls).toBe(10);
      await breakIt(ask, 2);
      peer.behave = later;
      expect(await ask()).toBe('429 later');
      await breakIt(ask);
      peer.behave = later;
      expect(await letThrough(ask)).toBe('429 later');
      expect(await ask()).toBe('429 later');
    }));

  test('counts a question once, however often it is asked again', () =>
    calling({}, async (ask) => {
      peer.behave = broken;
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      for (let question = 0; question < 3; question++) expect(await ask(thrice)).toBe('500 broken');
      expect(peer.calls).toBe(9);
      await expect(ask(thrice)).rejects.toThrow('left alone');
    }));

  test('keeps away those who heed it and does not count them, and does not concern those who ignore it', () =>
    calling({}, async (ask) => {
      peer.behave = broken;
      for (let round = 0; round < 5; round++) await ask({ attempts: 1, breaker: 'heeds' });
      for (let round = 0; round < 5; round++) await ask({ attempts: 1, breaker: 'ignores' });
      expect(await ask()).toBe('500 broken');
      await breakIt(ask, 2);
      await expect(ask({ attempts: 1, breaker: 'heeds' })).rejects.toThrow('left alone');
      expect(await ask({ attempts: 1, breaker: 'ignores' })).toBe('500 broken');
    }));

  test('lets those who heed it through when the rest is over, though nobody else has tried yet', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      peer.behave = fine;
      const heeding: Patience = { attempts: 1, breaker: 'heeds' };
      await until(async () => (await ask(heeding).catch(() => '')) === '200 fine', 'it is let through');
      expect(await ask(heeding)).toBe('200 fine');
    }));
});
