import assert from 'node:assert/strict';
import { KEY_ALGORITHMS, type PublicKey } from '../domain/public-key.js';
import { isRefusal, type Refusal } from '../domain/refusal.js';
import type { User } from '../domain/user.js';
import type { Authenticator } from '../ports/authenticator.js';
import {
  assertFault,
  casesOf,
  gone,
  never,
  offered,
  rejectionOf,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';
import { sampleCertified, sampleConnection, sampleKey } from './samples.js';

/** An authenticator, and the platform behind it. */
export interface AuthenticatorHarness extends Harness {
  readonly authenticator: Authenticator;
  /** Gives the user one more key; the first makes the user. */
  register(user: string, key: PublicKey): Promise<void>;
  removeKey(user: string, key: PublicKey): Promise<void>;
  removeUser(user: string): Promise<void>;
  /** From now on the platform can't be asked. */
  readonly breakDown?: () => Promise<void>;
  /** From now on the platform does not answer. */
  readonly stall?: () => Promise<void>;
}

export type AuthenticatorLack =
  /** The platform knows its users by certificates. */
  'certificates' | 'breakDown' | 'stall';

const CONNECTION = sampleConnection();

export function authenticatorContract(
  open: () => Promise<AuthenticatorHarness>,
  lacks: readonly AuthenticatorLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...answers, ...certified, ...failures]);
}

async function nameOf(authenticator: Authenticator, key: PublicKey): Promise<string> {
  const answer = await authenticator.identify(key, CONNECTION, never());
  return isRefusal(answer) ? `refused: ${answer.kind}` : answer.name;
}

const answers: readonly Promised<AuthenticatorHarness, AuthenticatorLack>[] = [
  ...KEY_ALGORITHMS.map((algorithm) => ({
    name: `a registered ${algorithm} key gives its user`,
    async run({ authenticator, register }: AuthenticatorHarness) {
      const key = sampleKey(algorithm);
      await register('alice', key);
      assert.equal(await nameOf(authenticator, key), 'alice');
    },
  })),
  {
    name: 'a key that nobody holds is refused as unknown',
    async run({ authenticator, register }) {
      await register('alice', sampleKey());
      assert.deepEqual(await authenticator.identify(sampleKey(), CONNECTION, never()), { kind: 'unknown-key' });
    },
  },
  {
    name: 'each of several keys gives the one user who holds it',
    async run({ authenticator, register }) {
      const [first, second, other] = [sampleKey(), sampleKey('ssh-rsa'), sampleKey()];
      await register('alice', first);
      await register('alice', second);
      await register('bob', other);
      const names = await Promise.all([first, second, other].map((key) => nameOf(authenticator, key)));
      assert.deepEqual(names, ['alice', 'alice', 'bob']);
    },
  },
  {
    name: 'a look-up grants and changes nothing: asked again, it answers the same',
    async run({ authenticator, register }) {
      const [known, unknown] = [sampleKey(), sampleKey()];
      await register('alice', known);
      for (let round = 0; round < 3; round++) {
        assert.equal(await nameOf(authenticator, unknown), 'refused: unknown-key');
        assert.equal(await nameOf(authenticator, known), 'alice');
      }
    },
  },
  {
    name: 'a removed key is unknown from the next question on, and the others of its user are not',
    async run({ authenticator, register, removeKey }) {
      const [kept, removed] = [sampleKey(), sampleKey()];
      await register('alice', kept);
      await register('alice', removed);
      assert.equal(await nameOf(authenticator, removed), 'alice');
      await removeKey('alice', removed);
      assert.equal(await nameOf(authenticator, removed), 'refused: unknown-key');
      assert.equal(await nameOf(authenticator, kept), 'alice');
    },
  },
  {
    name: 'every key of a removed user is unknown',
    async run({ authenticator, register, removeUser }) {
      const [first, second] = [sampleKey(), sampleKey()];
      await register('alice', first);
      await register('alice', second);
      await removeUser('alice');
      assert.equal(await nameOf(authenticator, first), 'refused: unknown-key');
      assert.equal(await nameOf(authenticator, second), 'refused: unknown-key');
    },
  },
  {
    name: 'questions at the same time do not mix',
    async run({ authenticator, register }) {
      const keys = Array.from({ length: 20 }, () => sampleKey());
      for (const [index, key] of keys.entries()) if (index % 2 === 0) await register(`user${index}`, key);
      const names = await Promise.all(keys.map((key) => nameOf(authenticator, key)));
      assert.deepEqual(
        names,
        keys.map((_, index) => (index % 2 === 0 ? `user${index}` : 'refused: unknown-key')),
      );
    },
  },
];

/** The answer to a certificate in force for this user. */
async function certifiedAnswer(authenticator: Authenticator, user: string, key: PublicKey = sampleKey()) {
  return authenticator.identifyCertified(sampleCertified(user, key), CONNECTION, never());
}

function unknownUser(user: string) {
  return { kind: 'certificate', problem: { kind: 'unknown-user', user } };
}

const certified: readonly Promised<AuthenticatorHarness, AuthenticatorLack>[] = [
  {
    name: 'a certificate gives the user whom it names, though nobody has registered its key',
    needs: 'certificates',
    async run({ authenticator, register }) {
      await register('alice', sampleKey());
      assert.deepEqual(await certifiedAnswer(authenticator, 'alice'), { name: 'alice' });
    },
  },
  {
    name: 'a certificate gives nobody else, whoever has registered its key',
    needs: 'certificates',
    async run({ authenticator, register }) {
      const key = sampleKey();
      await register('alice', key);
      assert.deepEqual(await certifiedAnswer(authenticator, 'bob', key), unknownUser('bob'));
      await register('bob', sampleKey());
      assert.deepEqual(await certifiedAnswer(authenticator, 'bob', key), { name: 'bob' });
      assert.equal(await nameOf(authenticator, key), 'alice');
    },
  },
  {
    name: 'a certificate of a user who was removed gives nobody from the next question on',
    needs: 'certificates',
    async run({ authenticator, register, removeUser }) {
      await register('alice', sampleKey());
      assert.deepEqual(await certifiedAnswer(authenticator, 'alice'), { name: 'alice' });
      await removeUser('alice');
      assert.deepEqual(await certifiedAnswer(authenticator, 'alice'), unknownUser('alice'));
    },
  },
  {
    name: 'a question for a certified user that was given up before it was asked rejects with the reason of the signal',
    async run({ authenticator }) {
      const signal = gone();
      const question = authenticator.identifyCertified(sampleCertified('alice'), CONNECTION, signal);
      assert.equal(await rejectionOf(question), signal.reason);
    },
  },
];

/** Who takes no certificates says so at any time. */
async function assertNoDenial(answer: Promise<User | Refusal>): Promise<void> {
  const outcome = await answer.catch((error: unknown) => ({ error }));
  if ('error' in outcome) assertFault(outcome.error, 'identify');
  else assert.deepEqual(outcome, { kind: 'certificate', problem: { kind: 'not-taken' } });
}

const failures: readonly Promised<AuthenticatorHarness, AuthenticatorLack>[] = [
  {
    name: 'a question that was given up before it was asked rejects with the reason of the signal',
    async run({ authenticator, register }) {
      const key = sampleKey();
      await register('alice', key);
      const signal = gone();
      assert.equal(await rejectionOf(authenticator.identify(key, CONNECTION, signal)), signal.reason);
      assert.equal(await nameOf(authenticator, key), 'alice');
    },
  },
  {
    name: 'a question that is given up while it is open rejects with the reason of the signal',
    needs: 'stall',
    async run({ authenticator, register, stall }) {
      const key = sampleKey();
      await register('alice', key);
      await offered(stall, 'stall')();
      const giveUp = new AbortController();
      const question = authenticator.identify(key, CONNECTION, giveUp.signal);
      giveUp.abort(new Error('given up'));
      assert.equal(await rejectionOf(question), giveUp.signal.reason);
    },
  },
  {
    name: 'an outage is thrown as a fault, for known and unknown keys alike, and never answered as a refusal',
    needs: 'breakDown',
    async run({ authenticator, register, breakDown }) {
      const key = sampleKey();
      await register('alice', key);
      await offered(breakDown, 'breakDown')();
      assertFault(await rejectionOf(authenticator.identify(key, CONNECTION, never())), 'identify');
      assertFault(await rejectionOf(authenticator.identify(sampleKey(), CONNECTION, never())), 'identify');
      await assertNoDenial(certifiedAnswer(authenticator, 'alice'));
    },
  },
];
