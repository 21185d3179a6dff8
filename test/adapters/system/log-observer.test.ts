import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { LogObserver, type LogOptions } from '../../../src/adapters/system/log-observer.js';
import type { DomainEvent } from '../../../src/domain/events.js';

type SessionEnded = Extract<DomainEvent, { type: 'session-ended' }>;

const NO_COMMON_ALGORITHM: Extract<DomainEvent, { type: 'no-common-algorithm' }> = {
  type: 'no-common-algorithm',
  connection: 'c-1',
  address: '192.0.2.7',
  software: 'JSCH-0.1.54',
  lacking: 'MAC',
  algorithms: 'modern',
};

const SESSION: SessionEnded = {
  type: 'session-ended',
  connection: 'c-1',
  session: 's-1',
  address: '192.0.2.7',
  software: 'OpenSSH_9.6',
  user: 'alice',
  fingerprint: 'SHA256:abc',
  app: 'shop',
  service: 'git-receive-pack',
  protocol: 2,
  bytesIn: 10,
  bytesOut: 20,
  phasesMs: { authorize: 1, run: 30 },
  durationMs: 31,
  verdict: 'exit-0',
  exit: 0,
};

/** What the observer writes for these events, as lines. */
function logged(options: Partial<LogOptions>, ...events: DomainEvent[]): readonly string[] {
  let text = '';
  const destination = { write: (chunk: string | Buffer) => void (text += chunk.toString()) };
  const observer = new LogObserver({ format: 'json', level: 'debug', destination, ...options });
  for (const event of events) observer.record(event);
  if (text !== '') expect(text.endsWith('\n')).toBe(true);
  return text.split('\n').slice(0, -1);
}

function json(...events: DomainEvent[]): readonly Record<string, unknown>[] {
  return logged({}, ...events).map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the JSON form', () => {
  test('is one object on one line for each event, with everything that is in it', () => {
    const [line, ...more] = json(SESSION);
    expect(more).toEqual([]);
    const { level, time, msg, ...event } = line ?? {};
    expect(event).toEqual(SESSION);
    expect(level).toBe(30);
    expect(new Date(String(time)).toISOString()).toBe(time);
    expect(msg).toBe('alice git-receive-pack shop: exit-0');
  });

  test('says a greeting and a refused command in a sentence that has no holes', () => {
    const { app: _app, service: _service, protocol: _protocol, ...bare } = SESSION;
    const messages = json({ ...bare, verdict: 'greeted', exit: 1 }).map(({ msg }) => msg);
    expect(messages).toEqual(['alice: greeted']);
  });

  test('of a client that shares no algorithm names the setting that may let it in, if there is one', () => {
    const [modern, compatible] = json(NO_COMMON_ALGORITHM, { ...NO_COMMON_ALGORITHM, algorithms: 'compatible' });
    expect(modern?.['msg']).toBe(
      'no MAC in common with the client: if it is an old one, GITMOUTH_ALGORITHMS=compatible may let it in',
    );
    expect(compatible?.['msg']).toBe(
      'no MAC in common with the client: it has to be updated (GITMOUTH_ALGORITHMS is compatible already)',
    );
  });

  test('keeps an error’s stack, on the same line', () => {
    const error = new TypeError('impossible');
    const [line] = json({ type: 'problem', message: 'a bug was contained', error });
    expect(line?.['error']).toMatch(/^TypeError: impossible\\u000a +at /);
    expect(line?.['msg']).toBe('a bug was contained');
  });

  test('keeps an error of another realm, too', () => {
    const foreign: unknown = runInNewContext('new Error("from elsewhere")');
    expect(foreign).not.toBeInstanceOf(Error);
    const [line] = json({ type: 'problem', message: 'x', error: foreign });
    expect(JSON.stringify(line)).toContain('from elsewhere');
  });

  test('survives an error that refers to itself', () => {
    const knot: Record<string, unknown> = { name: 'knot' };
    knot['self'] = knot;
    const [line] = json({ type: 'problem', message: 'a knot', error: knot });
    expect(line).toMatchObject({ msg: 'a knot', error: { name: 'knot', self: { name: 'knot' } } });
  });
});

describe('the text form', () => {
  test('is one line for each event, with time, level, sentence and fields', () => {
    const lines = logged({ format: 'text' }, SESSION, { type: 'server-stopped' });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] INFO: alice git-receive-pack shop: exit-0 \{/);
    expect(lines[0]).toContain('"session":"s-1"');
    expect(lines[1]).toContain('server stopped');
  });

  test('is coloured only where it is asked to be', () => {
    expect(logged({ format: 'text' }, SESSION).join('')).not.toContain('\u001b');
    expect(logged({ format: 'text', colors: true }, SESSION).join('')).toContain('\u001b[32m');
  });
});

/**
 * The attack: a client writes its own log lines, clears the operator's terminal or turns text around, by its
 * identification line, login name or command.
 */
describe.each(['json', 'text'] as const)('no text of a client goes out raw in the %s form', (format) => {
  const EVIL =
    'x\u001b[2J\u001b]0;title\u0007\r\n{"type":"session-ended"}\u0085\u2028\u202egnp\u200b\u0000\ud800\u007f';
  // eslint-disable-next-line no-control-regex
  const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]/;

  const EVENTS: readonly DomainEvent[] = [
    { ...SESSION, software: EVIL, user: EVIL, app: EVIL, address: EVIL },
    { ...SESSION, fault: { code: 'GM_BUG', stage: 'unknown', message: EVIL, cause: EVIL } },
    {
      type: 'login-failed',
      connection: 'c-1',
      address: '192.0.2.7',
      login: EVIL,
      software: EVIL,
      reason: EVIL,
      fingerprint: EVIL,
    },
    {
      type: 'login-succeeded',
      connection: 'c-1',
      address: '192.0.2.7',
      user: EVIL,
      fingerprint: EVIL,
      software: EVIL,
      login: EVIL,
      keyExchange: EVIL,
    },
    { type: 'connection-closed', connection: 'c-1', address: EVIL, durationMs: 1, user: EVIL },
    { type: 'connections-refused', reason: 'too-many-strangers', count: 1, address: EVIL },
    { type: 'problem', message: EVIL, error: new Error(EVIL) },
    { type: 'problem', message: EVIL, error: EVIL },
    { type: 'problem', message: EVIL, error: { [EVIL]: [EVIL] } },
    { type: 'fault', fault: { code: 'GM_BUG', stage: 'unknown', message: EVIL } },
    { ...NO_COMMON_ALGORITHM, software: EVIL, lacking: EVIL },
  ];

  test.each(EVENTS.map((event, place) => ({ event, place, type: event.type })))('$place: $type', ({ event }) => {
    const lines = logged({ format }, event);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(RAW);
    expect(lines[0]).toContain('u001b[2J');
    expect(lines[0]).toContain('u202e');
  });

  test('and a text without end is cut', () => {
    const [line] = logged({ format }, { ...SESSION, software: 'x'.repeat(1_000_000) });
    expect(line?.length).toBeLessThan(10_000);
    expect(line).toContain('x…');
  });
});

describe('the level', () => {
  const CONNECTION = { connection: 'c-1', address: '192.0.2.7' };
  const FAULT = { code: 'GM_TIMEOUT', stage: 'lock', message: 'late' } as const;
  const LEVELS: readonly (readonly [string, DomainEvent])[] = [
    ['debug', { type: 'connection-opened', ...CONNECTION, port: 1 }],
    ['debug', { type: 'connection-closed', ...CONNECTION, durationMs: 1 }],
    ['info', { type: 'connection-closed', ...CONNECTION, durationMs: 1, user: 'alice' }],
    ['info', SESSION],
    ['info', { type: 'server-stopped' }],
    ['info', NO_COMMON_ALGORITHM],
    ['warn', { type: 'login-failed', ...CONNECTION, login: 'git', software: 'x', reason: 'unknown-key' }],
    ['error', { ...SESSION, fault: FAULT }],
    ['error', { type: 'fault', fault: FAULT }],
    ['error', { type: 'problem', message: 'look' }],
  ];
  const ORDER = ['debug', 'info', 'warn', 'error'] as const;

  test.each(ORDER)('%s lets through what is of it or above, and nothing else', (level) => {
    const expected = LEVELS.filter(([own]) => ORDER.findIndex((l) => l === own) >= ORDER.indexOf(level));
    const events = LEVELS.map(([, event]) => event);
    expect(logged({ level }, ...events)).toHaveLength(expected.length);
    expect(logged({ level, format: 'text' }, ...events)).toHaveLength(expected.length);
    const numbers = { debug: 20, info: 30, warn: 40, error: 50 };
    const written = logged({ level }, ...events).map((line) => (JSON.parse(line) as { level: number }).level);
    expect(written).toEqual(expected.map(([own]) => numbers[own as keyof typeof numbers]));
  });
});
