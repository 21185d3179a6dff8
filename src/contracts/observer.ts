import assert from 'node:assert/strict';
import type { DomainEvent } from '../domain/events.js';
import type { Observer } from '../ports/observer.js';
import { casesOf, offered, until, type ContractCase, type Harness, type Promised } from './contract.js';

/** An observer, and what can be seen of what it was told. */
export interface ObserverHarness extends Harness {
  readonly observer: Observer;
  /** The types of the events it has noted so far, in order, where it notes each. */
  readonly noted?: () => Promise<readonly string[]>;
  /** The text it has written so far, where it writes text for people or programs that read lines. */
  readonly text?: () => Promise<string>;
}

export type ObserverLack = 'noted' | 'text';

export function observerContract(
  open: () => Promise<ObserverHarness>,
  lacks: readonly ObserverLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, promises);
}

const HOSTILE = 'x\u0000\u001b[2J\u009b31m\r\n{"type":"forged"}\u2028\u202e\u200b\ud800';

/** One event of each type, with a client's texts in every place that a client fills. */
export function sampleEvents(text: string): readonly DomainEvent[] {
  const who = { connection: 'c-1', address: '192.0.2.7' };
  const fingerprint = `SHA256:${'A'.repeat(43)}`;
  const keyExchange = 'mlkem768x25519-sha256';
  const fault = { code: 'GM_UNAVAILABLE', stage: 'lock', message: text, cause: text } as const;
  return [
    {
      type: 'server-started',
      address: '127.0.0.1:2222',
      hostKeys: [fingerprint],
      platform: 'embedded',
      sandbox: 'bubblewrap',
    },
    { type: 'connection-opened', ...who, port: 50_022 },
    { type: 'login-failed', ...who, login: text, software: text, reason: 'unknown-key', fingerprint },
    { type: 'login-succeeded', ...who, login: text, software: text, user: 'alice', fingerprint, keyExchange },
    {
      type: 'session-ended',
      ...who,
      session: 's-1',
      software: text,
      user: 'alice',
      fingerprint,
      app: 'shop',
      service: 'git-receive-pack',
      protocol: 2,
      bytesIn: 1,
      bytesOut: 2,
      phasesMs: { authorize: 1, run: 2 },
      durationMs: 3,
      verdict: 'fault-GM_UNAVAILABLE',
      exit: 127,
      fault,
    },
    { type: 'fault', fault, connection: 'c-1' },
    { type: 'problem', message: text, error: new Error(text), session: 's-1' },
    { type: 'connection-closed', ...who, user: 'alice', durationMs: 4, reason: 'idle' },
    { type: 'connections-refused', reason: 'too-many-strangers', count: 1, address: text },
    { type: 'server-draining', sessions: 1, drainMs: 300_000, delayMs: 0 },
    { type: 'config-reloaded', changed: ['GITMOUTH_DYNOS'], needRestart: [] },
    { type: 'server-stopped' },
  ];
}

/** What was thrown is anything at all: things that cannot be printed, too. */
function awkwardErrors(): readonly unknown[] {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const untouchable = Object.defineProperty({}, 'message', {
    enumerable: true,
    get: () => {
      throw new Error('do not touch');
    },
  });
  return [undefined, null, 'text', 1n, Symbol('s'), circular, untouchable, Object.create(null), () => undefined];
}

const promises: readonly Promised<ObserverHarness, ObserverLack>[] = [
  {
    name: 'takes every type of event, at once and without throwing',
    async run({ observer }) {
      for (const event of sampleEvents('harmless')) assert.equal(observer.record(event), undefined);
    },
  },
  {
    name: 'notes every event, in order',
    needs: 'noted',
    async run({ observer, noted }) {
      const events = sampleEvents('harmless');
      for (const event of events) observer.record(event);
      const types = offered(noted, 'noted');
      await until(async () => (await types()).length >= events.length, 'all are noted');
      assert.deepEqual(
        await types(),
        events.map(({ type }) => type),
      );
    },
  },
  {
    name: "does not throw on a client's control characters, or on errors that cannot be printed",
    async run({ observer }) {
      for (const event of sampleEvents(HOSTILE)) observer.record(event);
      for (const error of awkwardErrors()) observer.record({ type: 'problem', message: 'awkward', error });
    },
  },
  {
    name: 'changes nothing of an event',
    async run({ observer }) {
      const events = sampleEvents(HOSTILE);
      const before = structuredClone(events);
      for (const event of events) observer.record(event);
      assert.deepEqual(structuredClone(events), before);
    },
  },
  {
    name: "writes none of a client's control characters, and no line of a client's making",
    needs: 'text',
    async run({ observer, text }) {
      const written = offered(text, 'text');
      for (const event of sampleEvents(HOSTILE)) observer.record(event);
      await until(async () => (await written()).includes('server-stopped'), 'the last event is written');
      const all = await written();
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(all, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202e\u200b]/);
      assert.doesNotMatch(all, /^\{"type":"forged"\}/m);
    },
  },
];
