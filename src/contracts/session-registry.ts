import assert from 'node:assert/strict';
import type { ListedSession } from '../domain/listed-session.js';
import type { SessionRegistry } from '../ports/session-registry.js';
import { casesOf, offered, rejectionOf, type ContractCase, type Harness, type Promised } from './contract.js';

/** Two handles on the same state, as two processes have them, and time in the tester's hand. */
export interface SessionRegistryHarness extends Harness {
  readonly one: SessionRegistry;
  readonly other: SessionRegistry;
  /** How long a report lasts that is not followed by another. */
  readonly lastsMs: number;
  /** Lets the adapter's time pass: a fake clock is advanced, a real one waited for. */
  pass(ms: number): Promise<void>;
  /** From now on the state can't be reached by `one`. */
  readonly breakDown?: () => Promise<void>;
}

export type SessionRegistryLack = 'breakDown';

type Case = Promised<SessionRegistryHarness, SessionRegistryLack>;

export function sessionRegistryContract(
  open: () => Promise<SessionRegistryHarness>,
  lacks: readonly SessionRegistryLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...lists, ...ends]);
}

function session(id: string, more: Partial<ListedSession> = {}): ListedSession {
  return {
    id,
    gitmouth: 'host:1',
    user: 'alice',
    app: 'shop',
    service: 'git-receive-pack',
    phase: 'run',
    since: 1,
    bytesIn: 0,
    bytesOut: 0,
    address: '192.0.2.7',
    software: 'OpenSSH_9.6',
    ...more,
  };
}

async function idsOf(registry: SessionRegistry): Promise<readonly string[]> {
  return (await registry.list()).map(({ id }) => id);
}

const lists: readonly Case[] = [
  {
    name: 'nothing is listed while nothing was reported',
    async run({ one, other }) {
      assert.deepEqual(await one.list(), []);
      assert.deepEqual(await one.report([]), []);
      assert.deepEqual(await other.list(), []);
    },
  },
  {
    name: 'what one reports every handle lists, with every fact of it as it was',
    async run({ one, other }) {
      const told = session('s-1', {
        ...{ gitmouth: 'näme:77', user: 'bob', app: 'acme/web-2', service: 'git-upload-pack', phase: 'lock' },
        ...{ since: 1_795_000_000_123, bytesIn: 2 ** 40, bytesOut: 7, address: '2001:db8::1' },
        software: `'";DROP TABLE x -- \\u202e é 🙂 {"id":"s-2"}`,
      });
      assert.deepEqual(await one.report([told]), []);
      assert.deepEqual(await one.list(), [told]);
      assert.deepEqual(await other.list(), [told]);
    },
  },
  {
    name: 'a report takes the place of the one before',
    async run({ one, other }) {
      await one.report([session('s-1', { phase: 'lock' }), session('s-2')]);
      await one.report([session('s-1', { phase: 'run', bytesIn: 9 }), session('s-3')]);
      assert.deepEqual(await other.list(), [session('s-1', { phase: 'run', bytesIn: 9 }), session('s-3')]);
      await one.report([]);
      assert.deepEqual(await other.list(), []);
    },
  },
  {
    name: 'all handles are listed together, the longest running session first',
    async run({ one, other }) {
      await one.report([session('s-3', { since: 3 }), session('s-1', { since: 1 })]);
      await other.report([session('s-2', { since: 2, gitmouth: 'host:2' })]);
      for (const registry of [one, other]) assert.deepEqual(await idsOf(registry), ['s-1', 's-2', 's-3']);
      await one.report([]);
      assert.deepEqual(await idsOf(one), ['s-2']);
    },
  },
  {
    name: 'what is not reported again runs out, and what is stays',
    async run({ one, other, lastsMs, pass }) {
      await one.report([session('s-1')]);
      await other.report([session('s-2')]);
      await pass(lastsMs * 0.6);
      await other.report([session('s-2')]);
      assert.deepEqual(await idsOf(one), ['s-1', 's-2']);
      await pass(lastsMs * 0.6);
      assert.deepEqual(await idsOf(one), ['s-2']);
      await one.report([session('s-1')]);
      assert.deepEqual(await idsOf(other), ['s-1', 's-2']);
    },
  },
  {
    name: 'a handle that is closed shows nothing any more, and closing it again is nothing',
    async run({ one, other }) {
      await one.report([session('s-1')]);
      await other.report([session('s-2')]);
      await one.close();
      await one.close();
      assert.deepEqual(await idsOf(other), ['s-2']);
    },
  },
];

const ends: readonly Case[] = [
  {
    name: 'a session that nobody serves can not be asked to end',
    async run({ one, other }) {
      await other.report([session('s-1')]);
      assert.equal(await one.end('s-2'), false);
      assert.equal(await one.end(''), false);
      assert.deepEqual(await other.report([session('s-1')]), []);
      assert.deepEqual(await one.report([session('s-2')]), []);
    },
  },
  {
    name: 'whoever serves a session is told that it is to end, until it is gone, and nobody else',
    async run({ one, other }) {
      await one.report([session('s-1')]);
      await other.report([session('s-2'), session('s-3')]);
      assert.equal(await one.end('s-3'), true);
      assert.deepEqual(await one.report([session('s-1')]), []);
      assert.deepEqual(await other.report([session('s-2'), session('s-3')]), ['s-3']);
      assert.deepEqual(await other.report([session('s-2'), session('s-3')]), ['s-3']);
      assert.deepEqual(await other.report([session('s-2')]), []);
    },
  },
  {
    name: 'a session that runs out can not be asked to end',
    async run({ one, other, lastsMs, pass }) {
      await other.report([session('s-1')]);
      await pass(lastsMs * 1.2);
      assert.equal(await one.end('s-1'), false);
    },
  },
  {
    name: 'a state that is away is an error for whoever asks, and none for who closes',
    needs: 'breakDown',
    async run({ one, breakDown }) {
      await one.report([session('s-1')]);
      await offered(breakDown, 'breakDown')();
      for (const asked of [() => one.report([session('s-1')]), () => one.list(), () => one.end('s-1')]) {
        await rejectionOf(asked());
      }
      await one.close();
    },
  },
];
