import assert from 'node:assert/strict';
import type { PublicKey } from '../domain/public-key.js';
import { isDeparture, type EndReason } from '../domain/session-end.js';
import type { LiveConnection, LiveSession, LiveConnections } from '../ports/live-connections.js';
import { casesOf, turns, until, type ContractCase, type Harness, type Promised } from './contract.js';
import { sampleCaller, sampleCertifiedCaller, sampleKey } from './samples.js';

/** Live connections, and the platform whose users it watches. */
export interface LiveConnectionsHarness extends Harness {
  readonly connections: LiveConnections;
  /** Gives the user one more key; the first makes the user. */
  register(user: string, key: PublicKey): Promise<void>;
  removeKey(user: string, key: PublicKey): Promise<void>;
  removeUser(user: string): Promise<void>;
  /** Lets the connections's time pass, where it looks for removals from time to time. */
  pass(ms: number): Promise<void>;
}

export type LiveConnectionsLack =
  /** It hears of removals at once, and knows a removed user from a removed key. */
  'removals';

type Case = Promised<LiveConnectionsHarness, LiveConnectionsLack>;

export function liveConnectionsContract(
  open: () => Promise<LiveConnectionsHarness>,
  lacks: readonly LiveConnectionsLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...lists, ...ends]);
}

async function connect({ connections, register }: LiveConnectionsHarness, user: string, key = sampleKey()) {
  await register(user, key);
  return connections.add(sampleCaller(user, key));
}

function session(id: string): LiveSession {
  return {
    id,
    app: 'shop',
    service: 'git-receive-pack',
    since: 1,
    phase: 'run',
    bytesIn: 0,
    bytesOut: 0,
    end: () => undefined,
    notice: () => undefined,
    heldBytes: () => 0,
  };
}

function reasonOf(connection: LiveConnection): EndReason | undefined {
  const reason: unknown = connection.ended.reason;
  if (!connection.ended.aborted) return undefined;
  assert.ok(isDeparture(reason), 'the reason was to be a Departure');
  return reason.reason;
}

const lists: readonly Case[] = [
  {
    name: 'connections are listed from their registration until they are removed',
    async run(harness) {
      const { connections } = harness;
      assert.deepEqual(connections.list(), []);
      const [alice, bob] = [await connect(harness, 'alice'), await connect(harness, 'bob')];
      assert.deepEqual(new Set(connections.list()), new Set([alice, bob]));
      assert.equal(alice.caller.user.name, 'alice');
      alice.remove();
      assert.deepEqual(connections.list(), [bob]);
      bob.remove();
      assert.deepEqual(connections.list(), []);
    },
  },
  {
    name: 'removing a connection again changes nothing, and ends no other one of the same caller',
    async run(harness) {
      const key = sampleKey();
      const first = await connect(harness, 'alice', key);
      const second = harness.connections.add(first.caller);
      first.remove();
      first.remove();
      assert.deepEqual(harness.connections.list(), [second]);
      assert.equal(second.ended.aborted, false);
    },
  },
  {
    name: 'a connection lists its sessions, until each is removed',
    async run(harness) {
      const [alice, bob] = [await connect(harness, 'alice'), await connect(harness, 'bob')];
      const [push, fetch] = [session('s-1'), session('s-2')];
      const [first, second] = [alice.addSession(push), alice.addSession(fetch)];
      assert.deepEqual(alice.sessions(), [push, fetch]);
      assert.deepEqual(bob.sessions(), []);
      first.remove();
      first.remove();
      assert.deepEqual(alice.sessions(), [fetch]);
      second.remove();
      assert.deepEqual(alice.sessions(), []);
    },
  },
  {
    name: 'what was listed is a list of that moment',
    async run(harness) {
      const alice = await connect(harness, 'alice');
      const [connections, sessions] = [harness.connections.list(), alice.sessions()];
      alice.addSession(session('s-1'));
      alice.remove();
      assert.equal(connections.length, 1);
      assert.equal(sessions.length, 0);
    },
  },
];

const ends: readonly Case[] = [
  {
    name: 'a connection is not ended by itself',
    async run(harness) {
      const alice = await connect(harness, 'alice');
      await harness.pass(10_000);
      await turns();
      assert.equal(reasonOf(alice), undefined);
    },
  },
  {
    name: 'ending a connection aborts it with the first reason, and no other',
    async run(harness) {
      const [alice, bob] = [await connect(harness, 'alice'), await connect(harness, 'bob')];
      alice.end('drained');
      alice.end('key-removed');
      assert.equal(reasonOf(alice), 'drained');
      assert.equal(reasonOf(bob), undefined);
    },
  },
  {
    name: 'removing a user ends every connection of that user and of nobody else',
    needs: 'removals',
    async run(harness) {
      const first = await connect(harness, 'alice');
      const [second, bob] = [await connect(harness, 'alice'), await connect(harness, 'bob')];
      await harness.removeUser('alice');
      await until(() => first.ended.aborted && second.ended.aborted, 'both connections have ended', harness.pass);
      assert.deepEqual([reasonOf(first), reasonOf(second), reasonOf(bob)], ['user-removed', 'user-removed', undefined]);
    },
  },
  {
    name: 'removing a key ends the connections made with it and none made with another',
    needs: 'removals',
    async run(harness) {
      const [lost, kept] = [sampleKey(), sampleKey()];
      const [first, second] = [await connect(harness, 'alice', lost), await connect(harness, 'alice', kept)];
      await harness.removeKey('alice', lost);
      await until(() => first.ended.aborted, 'the connection has ended', harness.pass);
      assert.deepEqual([reasonOf(first), reasonOf(second)], ['key-removed', undefined]);
    },
  },
  {
    name: 'a key removed between its look-up and the registration finds the connection ended already',
    needs: 'removals',
    async run(harness) {
      const [lost, kept] = [sampleKey(), sampleKey()];
      await harness.register('alice', lost);
      await harness.register('alice', kept);
      await harness.removeKey('alice', lost);
      assert.equal(reasonOf(harness.connections.add(sampleCaller('alice', lost))), 'key-removed');
    },
  },
  {
    name: 'a user removed between the look-up and the registration finds the connection ended already',
    needs: 'removals',
    async run(harness) {
      const key = sampleKey();
      await harness.register('alice', key);
      await harness.removeUser('alice');
      assert.equal(reasonOf(harness.connections.add(sampleCaller('alice', key))), 'user-removed');
    },
  },
  {
    name: 'a connection by a certificate ends with its user, and not with a key of theirs',
    needs: 'removals',
    async run(harness) {
      const key = sampleKey();
      await harness.register('alice', key);
      await harness.register('alice', sampleKey());
      const certified = harness.connections.add(sampleCertifiedCaller('alice', key));
      const registered = harness.connections.add(sampleCaller('alice', key));
      await harness.removeKey('alice', key);
      await until(() => registered.ended.aborted, 'the other connection has ended', harness.pass);
      assert.equal(reasonOf(certified), undefined);
      // Of a key that is registered nowhere any more.
      assert.equal(reasonOf(harness.connections.add(sampleCertifiedCaller('alice', key))), undefined);
      await harness.removeUser('alice');
      await until(() => certified.ended.aborted, 'the connection has ended', harness.pass);
      assert.equal(reasonOf(certified), 'user-removed');
      assert.equal(reasonOf(harness.connections.add(sampleCertifiedCaller('alice', key))), 'user-removed');
    },
  },
  {
    name: 'a key that moved to another user since is no longer the key of the first',
    needs: 'removals',
    async run(harness) {
      const key = sampleKey();
      await harness.register('alice', key);
      await harness.register('alice', sampleKey());
      await harness.removeKey('alice', key);
      await harness.register('bob', key);
      assert.equal(reasonOf(harness.connections.add(sampleCaller('alice', key))), 'key-removed');
      assert.equal(reasonOf(harness.connections.add(sampleCaller('bob', key))), undefined);
    },
  },
];
