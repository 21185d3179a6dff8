import { describe, expect, test } from '@jest/globals';
import { adviceFor, rsaBits } from '../../src/domain/client-advice.js';
import type { Negotiated } from '../../src/domain/negotiated.js';
import { parseQuestion, type SelfReport } from '../../src/domain/question.js';
import type { Caller } from '../../src/domain/session.js';
import { verdictOf, type Verdict } from '../../src/domain/verdict.js';
import { alice, HOSTILE_TEXT, UNSAFE } from './someone.js';

const NEGOTIATED: Negotiated = {
  keyExchange: 'mlkem768x25519-sha256',
  hostKey: 'ssh-ed25519',
  cipherIn: 'aes128-gcm@openssh.com',
  cipherOut: 'aes128-gcm@openssh.com',
  isStrict: true,
};

function caller(software = 'OpenSSH_10.0p2 Debian-7', negotiated: Partial<Negotiated> = {}): Caller {
  return { ...alice, connection: { ...alice.connection, software, negotiated: { ...NEGOTIATED, ...negotiated } } };
}

function answered(report: Partial<SelfReport> & Pick<SelfReport, 'question'>): Verdict {
  const whole = { caller: caller(), apps: undefined, locks: [], server: 'gitmouth 1.2.3', ...report };
  return verdictOf({ kind: 'answered', report: whole }, whole.caller, 's-1');
}

/** The values under one name. */
function rows(answer: string | undefined, name: string): readonly string[] {
  const lines = (answer ?? '').split('\n').filter((line) => line.slice(0, 14).trim() === name);
  return lines.map((line) => line.slice(14));
}

describe('a question', () => {
  test.each(['whoami', 'doctor', ' doctor ', 'whoami\n'])('is asked by its name (%j)', (command) => {
    expect(parseQuestion(command)).toBe(command.trim());
  });

  test.each(['', 'who', 'WHOAMI', 'whoami shop', 'doctor;id', "git-upload-pack 'doctor'", 'doctor.git'])(
    'is asked by nothing else (%j)',
    (command) => {
      expect(parseQuestion(command)).toBeUndefined();
    },
  );
});

describe('whoami', () => {
  test('answers on standard output, with status 0, by whom and from where', () => {
    const apps = [
      { app: 'blog', access: 'read' },
      { app: 'shop', access: 'write' },
    ] as const;
    expect(answered({ question: 'whoami', apps })).toEqual({
      words: '',
      answer: [
        'user          alice',
        `key           SHA256:${'A'.repeat(43)} ssh-ed25519`,
        'address       192.0.2.7',
        'app           blog read',
        'app           shop write',
        '',
      ].join('\n'),
      exit: { code: 0 },
    });
  });

  test('names what a deploy key opens', () => {
    const bound = (binding: Caller['user']['binding']) =>
      rows(
        answered({
          question: 'whoami',
          caller: { ...alice, user: { name: 'alice', ...(binding && { binding }) } },
        }).answer,
        'deploy key',
      );
    expect(bound(undefined)).toEqual([]);
    expect(bound({ apps: ['shop', 'blog'] })).toEqual(['of shop, blog']);
    expect(bound({ access: 'read' })).toEqual(['of every app of the user, to read']);
  });
});

describe('doctor', () => {
  test('adds what was negotiated, and says that nothing is wrong', () => {
    const { answer, exit } = answered({ question: 'doctor', apps: [] });
    expect(answer).toBe(
      [
        'user          alice',
        `key           SHA256:${'A'.repeat(43)} ssh-ed25519`,
        'address       192.0.2.7',
        'login name    git',
        'connection    c-1',
        'client        OpenSSH_10.0p2 Debian-7',
        'server        gitmouth 1.2.3',
        'key exchange  mlkem768x25519-sha256 (post-quantum, strict)',
        'host key      ssh-ed25519',
        'cipher        aes128-gcm@openssh.com',
        'app           none of yours yet',
        '',
        'Nothing stands in your way.',
        '',
      ].join('\n'),
    );
    expect(exit).toEqual({ code: 0 });
  });

  test('names both ciphers where they differ', () => {
    const { answer } = answered({ question: 'doctor', caller: caller('x', { cipherOut: 'aes256-ctr' }) });
    expect(rows(answer, 'cipher')).toEqual(['aes128-gcm@openssh.com in, aes256-ctr out']);
  });

  test('shows who holds a push lock, and since when', () => {
    const holder = { user: 'bob', session: 's-9', since: Date.UTC(2026, 10, 24, 5, 30) };
    const { answer, exit } = answered({ question: 'doctor', apps: [], locks: [{ app: 'shop', holder }] });
    expect(rows(answer, 'lock')).toEqual(['shop held by a push of bob since 2026-11-24 05:30:00 UTC, session s-9']);
    expect(exit).toEqual({ code: 0 });
  });

  test('says what is refused now, with the status of a refusal', () => {
    const refusal = { kind: 'penalised', whose: 'key', offence: 'no-access', waitMs: 40_000 } as const;
    const { answer, exit } = answered({ question: 'doctor', refusal });
    expect(answer).toContain('\n !     This key has to pause: ');
    expect(answer).not.toContain('Nothing stands in your way');
    expect(exit).toEqual({ code: 1 });
  });

  test.each([
    [{ apps: 'unknown' }, 'app', 'your apps can not be listed now'],
    [{ apps: [], locks: 'unknown' }, 'lock', 'whether your apps are locked can not be told now'],
  ] as const)('calls an outage one, and no denial (%j)', (unknown, name, words) => {
    const { answer, exit } = answered({ question: 'doctor', ...unknown });
    expect(rows(answer, name)).toEqual([words]);
    expect(answer).toContain(' !     Something here is out of order, and not by your doing.');
    expect(exit).toEqual({ code: 127 });
  });

  test('counts what is too much to show', () => {
    const apps = Array.from({ length: 203 }, (_, index) => ({ app: `app-${index}`, access: 'write' }) as const);
    const shown = rows(answered({ question: 'doctor', apps }).answer, 'app');
    expect(shown).toHaveLength(201);
    expect(shown.at(-1)).toBe('and 3 more');
  });

  test('has one line for each fact and moves no cursor, whatever clients and platforms call things', () => {
    const evil: SelfReport = {
      question: 'doctor',
      caller: {
        ...alice,
        user: { name: HOSTILE_TEXT, credential: 'api-key-1', binding: { apps: [HOSTILE_TEXT] } },
        connection: {
          ...{ ...alice.connection, id: HOSTILE_TEXT, login: HOSTILE_TEXT, software: HOSTILE_TEXT },
          ...{ address: HOSTILE_TEXT, negotiated: { ...NEGOTIATED, cipherIn: HOSTILE_TEXT } },
        },
      },
      apps: [{ app: HOSTILE_TEXT, access: 'write' }],
      locks: [{ app: HOSTILE_TEXT, holder: { user: HOSTILE_TEXT, session: HOSTILE_TEXT, since: 0 } }],
      refusal: { kind: 'draining' },
      server: 'gitmouth 1.2.3',
    };
    const { answer = '' } = answered(evil);
    expect(UNSAFE.test(answer.replaceAll('\n', ''))).toBe(false);
    expect(answer.split('\n')).toHaveLength(13 + 4);
    expect(answer).not.toContain('api-key-1');
  });
});

describe('advice', () => {
  const kinds = (software: string, negotiated: Partial<Negotiated> = {}) =>
    adviceFor(caller(software, negotiated)).map(({ kind }) => kind);
  const classic = { keyExchange: 'curve25519-sha256' };

  test.each([
    ['OpenSSH_9.2p1 Debian-2+deb12u5', classic, ['no-post-quantum']],
    ['OpenSSH_for_Windows_9.5', classic, ['no-post-quantum']],
    ['OpenSSH_9.9p1', classic, ['post-quantum-off']],
    ['OpenSSH_10.0p2 Debian-7', classic, ['post-quantum-off']],
    ['Go', classic, ['no-post-quantum']],
    ['OpenSSH_9.9p1', {}, []],
    ['Go', { isStrict: false }, []],
    ['Go', { isStrict: false, cipherOut: 'chacha20-poly1305@openssh.com' }, ['not-strict']],
    ['Go', { cipherIn: 'chacha20-poly1305@openssh.com' }, []],
    ['JSCH-0.1.54', {}, ['abandoned-client']],
    ['JSCH_2.27.0', {}, []],
    ['libssh2_1.8.0', {}, ['abandoned-client']],
    ['libssh2_1.10.0', {}, []],
    ['libssh2_1.11.1', {}, []],
  ])('for %s with %j is %j', (software, negotiated, expected) => {
    expect(kinds(software, negotiated)).toEqual(expected);
  });

  const rsa = (...modulus: readonly number[]): Caller['key'] => {
    const field = (bytes: readonly number[]) => [0, 0, bytes.length >> 8, bytes.length & 0xff, ...bytes];
    const blob = new Uint8Array([...field([...Buffer.from('ssh-rsa')]), ...field([1, 0, 1]), ...field(modulus)]);
    return { ...alice.key, algorithm: 'ssh-rsa', blob };
  };

  test.each([
    [[0, 0x80, ...Array<number>(255).fill(0)], 2048],
    [[0x40, ...Array<number>(255).fill(0)], 2047],
    [[0, 0xff, ...Array<number>(383).fill(1)], 3072],
    [[1], 1],
    [[0], undefined],
    [[], undefined],
  ])('counts the bits of an RSA key', (modulus, bits) => {
    expect(rsaBits(rsa(...modulus))).toBe(bits);
  });

  test('is to replace an RSA key of fewer than 3072 bits', () => {
    const holder = (bits: number) => ({ ...caller(), key: rsa(0, 0x80, ...Array<number>(bits / 8 - 1).fill(0)) });
    expect(adviceFor(holder(2048))).toEqual([{ kind: 'short-rsa', bits: 2048 }]);
    expect(adviceFor(holder(3072))).toEqual([]);
    expect(rsaBits({ ...rsa(1), blob: new Uint8Array([0, 0, 0, 7]) })).toBeUndefined();
    expect(rsaBits(alice.key)).toBeUndefined();
  });
});
