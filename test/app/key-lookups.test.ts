import { getEventListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { MemoryAuthenticator, MemoryClock, MemoryPlatform } from '../../src/adapters/memory/index.js';
import { KeyLookups } from '../../src/app/key-lookups.js';
import { ProofJudge } from '../../src/app/proof-judge.js';
import { NO_CERTIFICATES } from '../../src/domain/certificate-policy.js';
import { Fault } from '../../src/domain/fault.js';
import type { Certificate } from '../../src/domain/certificate.js';
import type { Proof } from '../../src/domain/proof.js';
import type { PublicKey } from '../../src/domain/public-key.js';
import type { Refusal } from '../../src/domain/refusal.js';
import { NOTHING_REVOKED } from '../../src/domain/revocations.js';
import type { Connection } from '../../src/domain/session.js';
import type { User } from '../../src/domain/user.js';
import type { Authenticator } from '../../src/ports/authenticator.js';
import { never, rejectionOf, turns, within } from '../../src/contracts/contract.js';
import { sampleCaller, sampleCertificate, sampleConnection, sampleKey } from '../../src/contracts/samples.js';

const CACHE_MS = 5_000;
/** The one that is trusted. */
const authority = sampleKey();
const KEYS_ALONE = new ProofJudge(() => NO_CERTIFICATES, new MemoryClock());
const HERE = sampleConnection();
const ELSEWHERE = { ...sampleConnection(), address: '198.51.100.1' };

const callerBy = (key: PublicKey) => ({ ...sampleCaller('alice', key), connection: HERE });

/** Look-ups before a memory platform, with a count of the questions that reached it. */
function counted(cacheMs = CACHE_MS) {
  const platform = new MemoryPlatform();
  const memory = new MemoryAuthenticator(platform);
  const clock = new MemoryClock();
  const asked: Connection[] = [];
  const authenticator: Authenticator = {
    identify: (key, connection, signal) => {
      asked.push(connection);
      return memory.identify(key, connection, signal);
    },
    identifyCertified: (proof, connection, signal) => {
      asked.push(connection);
      return memory.identifyCertified(proof, connection, signal);
    },
  };
  const rules = { ...NO_CERTIFICATES, authorities: new Set([authority.sha256]) };
  const judge = new ProofJudge(() => rules, clock);
  return { platform, memory, clock, asked, rules, lookups: new KeyLookups(authenticator, judge, () => cacheMs, clock) };
}

describe('a user that was found', () => {
  test('is remembered for its time and not a millisecond longer', async () => {
    const { platform, clock, asked, lookups } = counted();
    const key = sampleKey();
    platform.register('alice', key);
    for (const passes of [0, 1, CACHE_MS - 1]) {
      await clock.advance(passes);
      expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
    }
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    await lookups.identify({ key }, HERE, never());
    expect(asked).toHaveLength(2);
  });

  test('is remembered for all addresses, and for that key alone', async () => {
    const { platform, asked, lookups } = counted();
    const [one, other] = [sampleKey(), sampleKey()];
    platform.register('alice', one);
    platform.register('bob', other);
    await lookups.identify({ key: one }, HERE, never());
    expect(await lookups.identify({ key: one }, ELSEWHERE, never())).toEqual({ name: 'alice' });
    expect(await lookups.identify({ key: other }, HERE, never())).toEqual({ name: 'bob' });
    expect(asked).toEqual([HERE, HERE]);
  });

  test('is not remembered at all where the time is 0', async () => {
    const { platform, asked, lookups } = counted(0);
    const key = sampleKey();
    platform.register('alice', key);
    await lookups.identify({ key }, HERE, never());
    await lookups.identify({ key }, HERE, never());
    expect(asked).toHaveLength(2);
  });

  test('is asked for anew when it must be, and forgotten when it is not found any more', async () => {
    const { platform, asked, lookups } = counted();
    const key = sampleKey();
    platform.register('alice', key);
    await lookups.identify({ key }, HERE, never());
    platform.removeKey('alice', key);
    expect(await lookups.identifyAnew(callerBy(key), never())).toEqual({ kind: 'unknown-key' });
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ kind: 'unknown-key' });
    expect(asked).toHaveLength(3);
  });
});

describe('what is never remembered', () => {
  test('a refusal: a key that was added just now works at once', async () => {
    const { platform, lookups } = counted();
    const key = sampleKey();
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ kind: 'unknown-key' });
    platform.register('alice', key);
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
  });

  test('the user of a security key: from its next log-in on it may have to verify them', async () => {
    const key: PublicKey = { ...sampleKey(), algorithm: 'sk-ssh-ed25519@openssh.com' };
    let user: User = { name: 'alice' };
    const authenticator: Authenticator = {
      identify: async () => user,
      identifyCertified: async () => ({ kind: 'certificate', problem: { kind: 'not-taken' } }),
    };
    const lookups = new KeyLookups(authenticator, KEYS_ALONE, () => CACHE_MS, new MemoryClock());
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
    user = { name: 'alice', needsVerification: true };
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice', needsVerification: true });
  });

  test('a fault: it is thrown as it is, and the next look-up asks again', async () => {
    const { platform, memory, lookups } = counted();
    const key = sampleKey();
    platform.register('alice', key);
    const fault = new Fault('GM_UNAVAILABLE', 'identify', 'down');
    memory.trouble.failWith(fault);
    expect(await rejectionOf(lookups.identify({ key }, HERE, never()))).toBe(fault);
    memory.trouble.clear();
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
  });
});

describe('a certified user', () => {
  const ofKey = (key: PublicKey, more: Partial<Certificate> = {}): Proof => ({
    key,
    certificate: sampleCertificate('alice', { authority, ...more }),
  });

  test('is remembered apart from the holder of the key, and asked for by the certificate alone', async () => {
    const { platform, asked, lookups } = counted();
    const key = sampleKey();
    platform.register('alice', sampleKey());
    platform.register('bob', key);
    for (let round = 0; round < 2; round++) {
      expect(await lookups.identify(ofKey(key), HERE, never())).toEqual({ name: 'alice' });
      expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'bob' });
    }
    expect(asked).toHaveLength(2);
  });

  test('is asked for anew where another certificate of the key is shown, or another principal is meant', async () => {
    const { platform, asked, lookups } = counted();
    const key = sampleKey();
    for (const user of ['alice', 'bob']) platform.register(user, sampleKey());
    const both = ofKey(key, { principals: ['alice', 'bob'] });
    await lookups.identify(ofKey(key), HERE, never());
    expect(await lookups.identify(both, { ...HERE, login: 'bob' }, never())).toEqual({ name: 'bob' });
    expect(await lookups.identify(both, { ...HERE, login: 'alice' }, never())).toEqual({ name: 'alice' });
    expect(asked).toHaveLength(3);
  });

  test('is judged each time, also while remembered: an expiry counts at its millisecond', async () => {
    const { platform, clock, lookups, asked } = counted();
    platform.register('alice', sampleKey());
    const proof = ofKey(sampleKey(), { validBefore: clock.now() + 10 });
    expect(await lookups.identify(proof, HERE, never())).toEqual({ name: 'alice' });
    await clock.advance(10);
    const since = clock.now();
    expect(await lookups.identify(proof, HERE, never())).toEqual({
      kind: 'certificate',
      problem: { kind: 'expired', since },
    });
    expect(asked).toHaveLength(1);
  });

  test('of an authority that is not trusted is like an unknown key, and the key alone still works', async () => {
    const { platform, lookups, asked } = counted();
    const key = sampleKey();
    platform.register('alice', key);
    const foreign = ofKey(key, { authority: sampleKey() });
    expect(await lookups.identify(foreign, HERE, never())).toEqual({ kind: 'unknown-key' });
    expect(asked).toEqual([]);
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
  });

  test('needs verification where the certificate says so, remembered or not, and not where another one does', async () => {
    const { platform, lookups } = counted();
    platform.register('alice', sampleKey());
    const key = sampleKey();
    const strict = ofKey(key, { criticalOptions: [{ name: 'verify-required' }] });
    for (let round = 0; round < 2; round++) {
      expect(await lookups.identify(strict, HERE, never())).toEqual({ name: 'alice', needsVerification: true });
      expect(await lookups.identify(ofKey(key), HERE, never())).toEqual({ name: 'alice' });
    }
  });

  test('can be no other than the certificate names', async () => {
    const lookups = new KeyLookups(
      { identify: async () => ({ name: 'bob' }), identifyCertified: async () => ({ name: 'bob' }) },
      new ProofJudge(() => ({ ...NO_CERTIFICATES, authorities: new Set([authority.sha256]) }), new MemoryClock()),
      () => CACHE_MS,
      new MemoryClock(),
    );
    const wrong = await rejectionOf(lookups.identify(ofKey(sampleKey()), HERE, never()));
    expect(wrong).toMatchObject({ code: 'GM_BAD_ANSWER', stage: 'identify' });
  });

  test('can not be told while it is not known which authorities count, and keys can', async () => {
    const { platform, memory } = counted();
    const key = sampleKey();
    platform.register('alice', key);
    const judge = new ProofJudge(() => ({ ...NO_CERTIFICATES, authorities: undefined }), new MemoryClock());
    const lookups = new KeyLookups(memory, judge, () => CACHE_MS, new MemoryClock());
    expect(await rejectionOf(lookups.identify(ofKey(key), HERE, never()))).toMatchObject({
      code: 'GM_UNAVAILABLE',
      stage: 'identify',
    });
    expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
  });
});

test('a revoked key is refused, remembered or not, and asked of nobody', async () => {
  const { platform, memory } = counted();
  const key = sampleKey();
  platform.register('alice', key);
  const keys = new Set<string>();
  const judge = new ProofJudge(
    () => ({ ...NO_CERTIFICATES, revocations: { ...NOTHING_REVOKED, keys } }),
    new MemoryClock(),
  );
  const lookups = new KeyLookups(memory, judge, () => CACHE_MS, new MemoryClock());
  expect(await lookups.identify({ key }, HERE, never())).toEqual({ name: 'alice' });
  keys.add(key.sha256);
  expect(await lookups.identify({ key }, HERE, never())).toEqual({ kind: 'key-revoked' });
  expect(await lookups.identifyAnew(callerBy(key), never())).toEqual({ kind: 'key-revoked' });
});

/** An authenticator whose answers the test gives, in whatever order; look-ups are known by their key. */
class Questions implements Authenticator {
  readonly underWay: PublicKey[] = [];
  readonly begun: PublicKey[] = [];
  readonly #answers = new Map<PublicKey, (answer: User | Refusal | Error) => void>();

  identify(key: PublicKey, _connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    this.begun.push(key);
    this.underWay.push(key);
    return new Promise((resolve, reject) => {
      const giveUp = () => settle(signal.reason as Error);
      const settle = (answer: User | Refusal | Error) => {
        signal.removeEventListener('abort', giveUp);
        this.underWay.splice(this.underWay.indexOf(key), 1);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      };
      this.#answers.set(key, settle);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  identifyCertified(): Promise<Refusal> {
    return Promise.resolve({ kind: 'certificate', problem: { kind: 'not-taken' } });
  }

  answer(key: PublicKey | undefined, answer: User | Refusal | Error = { kind: 'unknown-key' }): void {
    if (key === undefined) throw new Error('no such look-up');
    this.#answers.get(key)?.(answer);
  }
}

describe('look-ups of one source', () => {
  /** So many look-ups from one address, each of its own key, with its own way to give it up. */
  function crowd(count: number, lookups: KeyLookups, connection = HERE) {
    return Array.from({ length: count }, () => {
      const key = sampleKey();
      const control = new AbortController();
      const answer = lookups.identify({ key }, connection, control.signal);
      answer.catch(() => undefined);
      return { key, control, answer };
    });
  }

  function opened() {
    const questions = new Questions();
    return { questions, lookups: new KeyLookups(questions, KEYS_ALONE, () => CACHE_MS, new MemoryClock()) };
  }

  test('are eight at a time, and the others get their turn in their order', async () => {
    const { questions, lookups } = opened();
    const all = crowd(20, lookups);
    const keys = all.map(({ key }) => key);
    await turns();
    expect(questions.begun).toEqual(keys.slice(0, 8));
    for (const place of [3, 0, 5]) questions.answer(keys[place]);
    await turns();
    expect(questions.begun).toEqual(keys.slice(0, 11));
    expect(questions.underWay).toHaveLength(8);
    while (questions.underWay.length > 0) {
      questions.answer(questions.underWay[0]);
      await turns();
      expect(questions.underWay.length).toBeLessThanOrEqual(8);
    }
    expect(questions.begun).toEqual(keys);
    const answers = await within(Promise.all(all.map(({ answer }) => answer)), 'all answers');
    expect(answers).toHaveLength(20);
  });

  test('leave other sources alone', async () => {
    const { questions, lookups } = opened();
    crowd(9, lookups);
    const [other] = crowd(1, lookups, ELSEWHERE);
    await turns();
    expect(questions.underWay).toHaveLength(9);
    expect(questions.begun.at(-1)).toBe(other?.key);
  });

  test('do not wait for what its users who have logged in ask, who wait for themselves', async () => {
    const { questions, lookups } = opened();
    const anew = Array.from({ length: 20 }, () => sampleKey());
    for (const key of anew) void lookups.identifyAnew(callerBy(key), never());
    const [stranger] = crowd(1, lookups);
    await turns();
    expect(questions.begun).toEqual([...anew.slice(0, 8), stranger?.key]);
  });

  test('that fail or are given up make room for the next, too', async () => {
    const { questions, lookups } = opened();
    const all = crowd(10, lookups);
    await turns();
    questions.answer(all[0]?.key, new Fault('GM_TIMEOUT', 'identify', 'no answer'));
    all[1]?.control.abort(new Error('the client left'));
    await turns();
    expect(questions.begun).toEqual(all.map(({ key }) => key));
    expect(questions.underWay).toHaveLength(8);
  });

  test('that are given up while they wait say so at once, and take no place', async () => {
    const { questions, lookups } = opened();
    const all = crowd(12, lookups);
    const [, , , , , , , , first, second, third, fourth] = all;
    await turns();
    const reason = new Error('the client left');
    first?.control.abort(reason);
    third?.control.abort(reason);
    for (const given of [first, third]) {
      expect(await rejectionOf(given?.answer ?? Promise.resolve())).toBe(reason);
      expect(getEventListeners(given?.control.signal ?? never(), 'abort')).toEqual([]);
    }
    questions.answer(all[0]?.key);
    questions.answer(all[1]?.key);
    await turns();
    expect(questions.begun.slice(8)).toEqual([second?.key, fourth?.key]);
    // Every place is there again: eight more begin when these have ended.
    for (const key of [...questions.underWay]) questions.answer(key);
    await turns();
    crowd(9, lookups);
    await turns();
    expect(questions.underWay).toHaveLength(8);
  });

  test('whose signal has aborted before are not asked at all', async () => {
    const { questions, lookups } = opened();
    const reason = new Error('gone');
    expect(await rejectionOf(lookups.identify({ key: sampleKey() }, HERE, AbortSignal.abort(reason)))).toBe(reason);
    expect(questions.begun).toEqual([]);
    crowd(8, lookups);
    await turns();
    expect(questions.underWay).toHaveLength(8);
  });

  test('leave no listener on their signals', async () => {
    const { questions, lookups } = opened();
    const all = crowd(12, lookups);
    for (const { key } of all) {
      await turns();
      questions.answer(key);
    }
    await within(Promise.all(all.map(({ answer }) => answer)), 'all answers');
    for (const { control } of all) expect(getEventListeners(control.signal, 'abort')).toEqual([]);
  });
});
