/** What the client is told, word for word, for every way a request can come out. */
import { describe, expect, test } from '@jest/globals';
import { Fault, type Stage } from '../../src/domain/fault.js';
import type { AppAccess } from '../../src/domain/grant.js';
import type { Refusal } from '../../src/domain/refusal.js';
import type { EndReason } from '../../src/domain/session-end.js';
import type { Caller } from '../../src/domain/session.js';
import { outcomeOfError, verdictLabel, verdictOf, type Outcome } from '../../src/domain/verdict.js';
import { alice, HOSTILE_TEXT, UNSAFE } from './someone.js';

const WHO = `You are alice, by the key SHA256:${'A'.repeat(43)}. Session s-1.`;
const HOLDER = { user: 'bob', session: 's-2', since: Date.UTC(2026, 10, 24, 5, 30) };
const NOT_REFUSED = 'This is a fault on our side and not a refusal: try again in a moment.';

function told(outcome: Outcome) {
  return verdictOf(outcome, alice, 's-1');
}

/** Lines of ours as the user reads them. */
function lines(...texts: readonly string[]): string {
  return texts.map((text) => ` !     ${text}\n`).join('');
}

/** One of each refusal; the compiler sees that none is missing. */
const REFUSALS: { readonly [Kind in Refusal['kind']]: Extract<Refusal, { kind: Kind }> } = {
  'unknown-key': { kind: 'unknown-key' },
  'key-removed': { kind: 'key-removed' },
  'key-revoked': { kind: 'key-revoked' },
  certificate: { kind: 'certificate', problem: { kind: 'expired', since: Date.UTC(2026, 10, 24, 5, 30) } },
  'forced-command': { kind: 'forced-command', forced: "git-upload-pack 'shop'" },
  'wrong-login': { kind: 'wrong-login', expected: 'git' },
  'invalid-command': { kind: 'invalid-command', command: 'rm -rf /' },
  'invalid-path': { kind: 'invalid-path', command: "git-upload-pack '../x'" },
  lfs: { kind: 'lfs' },
  'no-access': { kind: 'no-access', app: 'shop', service: 'git-receive-pack' },
  'key-bound': { kind: 'key-bound', app: 'shop', to: 'apps' },
  platform: { kind: 'platform', reason: 'maintenance', text: 'We move house.\n\nCome back at noon.\n' },
  'archive-off': { kind: 'archive-off', app: 'shop' },
  'invalid-app-name': { kind: 'invalid-app-name', app: 'Shop' },
  'too-many-apps': { kind: 'too-many-apps', app: 'shop', limit: 100 },
  busy: { kind: 'busy', app: 'shop', holder: HOLDER, waitedMs: 0 },
  'dynos-busy': { kind: 'dynos-busy', full: 'user', limit: 16, waitedMs: 0 },
  penalised: { kind: 'penalised', whose: 'key', offence: 'no-access', waitMs: 39_200 },
  'too-fast': { kind: 'too-fast', app: 'shop', limit: 600, waitMs: 12_000 },
  draining: { kind: 'draining' },
};

const NO_KEY = [
  'This key is not (or no longer) registered here.',
  'Add it to your account, or use another key, and try again.',
];

const REFUSAL_WORDS: Record<Refusal['kind'], readonly string[]> = {
  'unknown-key': NO_KEY,
  'key-removed': NO_KEY,
  'key-revoked': ['This key was revoked.', 'Ask an operator why; another key may still do.'],
  certificate: [
    'Your certificate expired at 2026-11-24 05:30:00 UTC.',
    'Get a new certificate, or use a key that is registered here.',
  ],
  'forced-command': [
    "Your certificate is for one command alone: 'git-upload-pack 'shop''.",
    'Use a certificate without force-command, or a key, for anything else.',
  ],
  'wrong-login': ["Log in as 'git': ssh://git@…/<app>.git"],
  'invalid-command': [
    "'rm -rf /' is not a command of this door.",
    'It serves git alone: git clone, git fetch and git push over this address; whoami and doctor say what it knows of you.',
  ],
  'invalid-path': [
    "'git-upload-pack '../x'' does not name an app.",
    "Syntax is: <this address>:<app>.git, where <app> is your app's name: letters, digits, '@', '_' and '-', at most 63.",
  ],
  lfs: ['Git LFS is not served over SSH here.', 'Set lfs.url to a server of your own, or keep the files out of LFS.'],
  'no-access': [
    "You may not push to 'shop', or there is no such app.",
    'Check the name; for access ask the owner of the app to share it with you.',
  ],
  'key-bound': ["This key is a deploy key, and not one of 'shop'.", "Use that app's own deploy key, or your own key."],
  platform: ['We move house.', 'Come back at noon.'],
  'archive-off': ["'shop' does not give out archives.", 'Clone it, or ask an operator to allow archives of it.'],
  'invalid-app-name': [
    "'Shop' can not be the name of a new app.",
    "Use lower-case letters, digits, '@', '_' and '-', beginning with a letter or digit, at most 63.",
  ],
  'too-many-apps': [
    "You own 100 apps, which is all you may; 'shop' was not created.",
    'Have one you no longer use destroyed, or ask an operator for more.',
  ],
  busy: [
    "Another push to 'shop' is running, by bob since 2026-11-24 05:30:00 UTC.",
    'Nothing was changed. Try again when it has ended.',
  ],
  'dynos-busy': [
    'Too much at once: 16 commands of yours run here, which is the limit.',
    'Nothing was changed. Try again when one has ended.',
  ],
  penalised: [
    'This key has to pause: too many requests named apps that you may not use, or that do not exist.',
    'Nothing was changed. Try again in 40 seconds.',
  ],
  'too-fast': [
    "You began more than 600 commands on 'shop' within a minute, which is the limit.",
    'Nothing was changed. Try again in 12 seconds.',
  ],
  draining: ['This server is about to restart and starts nothing new.', 'Try again in a moment.'],
};

const FAULT_WORDS: Record<Stage, string> = {
  identify: 'Your key could not be checked just now.',
  authorize: 'Your access could not be checked just now.',
  lock: 'The lock of this app could not be taken or kept.',
  provision: 'The place where git runs could not be started.',
  connect: 'The place where git runs could not be started.',
  start: 'The place where git runs was ready, but git said nothing.',
  run: 'The place where git runs was lost before git ended. The command may or may not have been carried out.',
  release: 'The command ended, but could not be concluded here.',
};

const ENDED_WORDS: Record<EndReason, readonly string[]> = {
  'client-left': [],
  drained: ['The time to finish is over and this server stops now. Your command was ended; run it again in a moment.'],
  'user-removed': ['Your account was removed. Your command was ended.'],
  'key-removed': ['Your key was removed from your account. Your command was ended.'],
  'key-changed': ['What your key may be used for was changed. Your command was ended; run it again.'],
  'key-revoked': ['Your key or certificate does not count here any more. Your command was ended; ask an operator why.'],
  'time-limit': ['The time that this session may take is over. Your command was ended.'],
  superseded: ['A newer push to this app took the place of yours. Your command was ended.'],
  'lock-released': [
    'An operator took the lock of this app from your push. Your command was ended; ask them before the next.',
  ],
  operator: ['An operator ended your command.'],
  stalled: ['Your client took nothing of what waited for it for too long. Your command was ended; run it again.'],
  'lease-lost': [
    'The lock of this app was lost. Your command was ended so that no two pushes run at once; run it again.',
  ],
};

describe('git ran', () => {
  test.each([0, 1, 127, 128, 255])('and ended with status %i: that status, and not a word of ours', (code) => {
    expect(told({ kind: 'ran', exit: { kind: 'code', code } })).toEqual({ words: '', exit: { code } });
  });

  test.each(['KILL', 'TERM', 'XFSZ'] as const)('and was ended by %s: that signal, never status 0', (signal) => {
    expect(told({ kind: 'ran', exit: { kind: 'signal', signal } })).toEqual({ words: '', exit: { signal } });
  });
});

test('somebody without a command is greeted, told their key and how to go on, with status 1', () => {
  expect(told({ kind: 'greeted' })).toEqual({
    words: `Hi alice! You have been recognised by the key SHA256:${'A'.repeat(43)}.
This door speaks git and gives no shell. Use it from a repository:

    git remote add deploy <this address>:<app>.git
    git push deploy HEAD

\`ssh <this address> doctor\` tells what this door knows of you and your connection.

(Connection c-1.)
`,
    exit: { code: 1 },
  });
});

describe('the apps in a greeting', () => {
  const greeting = (apps: readonly AppAccess[]) => told({ kind: 'greeted', apps }).words;

  test('are named, with those that may only be read', () => {
    const words = greeting([
      { app: 'blog', access: 'read' },
      { app: 'shop', access: 'write' },
    ]);
    expect(words).toContain('\nYour apps:\n\n    blog (to read)\n    shop\n\n');
  });

  test('are none: said too', () => {
    expect(greeting([])).toContain('\nThere is no app of yours yet.\n');
  });

  test('beyond twenty are counted', () => {
    const apps = Array.from({ length: 33 }, (_, index) => ({ app: `app-${index}`, access: 'write' }) as const);
    expect(greeting(apps)).toContain('    app-19\n    and 13 more\n');
    expect(greeting(apps)).not.toContain('app-20');
  });

  test('move no cursor, whatever the platform calls them', () => {
    expect(greeting([{ app: 'a\u001b[2Jb', access: 'write' }])).not.toContain('\u001b');
  });
});

describe('what a platform says in its own words', () => {
  const refused = (text: string) =>
    told({ kind: 'refused', refusal: { kind: 'platform', reason: 'other', text } }).words;

  test('stands line by line in our form, without anything that moves a cursor', () => {
    expect(refused('One.\r\n\nTwo\u001b[1A.')).toContain(lines('One.', 'Two\\u001b[1A.'));
  });

  test('is cut where it is too much', () => {
    const words = refused(Array.from({ length: 100 }, (_, index) => `Line ${index}.`).join('\n'));
    expect(words).toContain(lines('Line 19.', '…'));
    expect(words).not.toContain('Line 20.');
  });
});

describe('refused, with status 1:', () => {
  test.each(Object.values(REFUSALS).map((refusal) => [refusal.kind, refusal] as const))('%s', (kind, refusal) => {
    expect(told({ kind: 'refused', refusal })).toEqual({
      words: lines(...REFUSAL_WORDS[kind], WHO),
      exit: { code: 1 },
    });
  });

  test.each([
    ['git-upload-pack', "You may not fetch from 'shop', or there is no such app."],
    ['git-upload-archive', "You may not take an archive of 'shop', or there is no such app."],
  ] as const)('no access by %s says what was asked', (service, words) => {
    expect(told({ kind: 'refused', refusal: { kind: 'no-access', app: 'shop', service } }).words).toContain(words);
  });

  test('busy after waiting says for how long', () => {
    expect(told({ kind: 'refused', refusal: { ...REFUSALS.busy, waitedMs: 600_000 } }).words).toContain(
      'You waited 10 minutes; nothing was changed. Try again when it has ended.',
    );
  });

  test.each([
    [
      'connection',
      10,
      0,
      '10 commands run over this connection',
      'Nothing was changed. Try again when one has ended, or over another connection.',
    ],
    [
      'user',
      1,
      30_000,
      '1 command of yours runs here',
      'You waited 30 seconds; nothing was changed. Try again when one has ended.',
    ],
    [
      'server',
      32,
      30_000,
      'this server runs 32 commands',
      'You waited 30 seconds; nothing was changed. Try again in a moment.',
    ],
  ] as const)(
    'for want of a dyno, says that the %s has none free, and what to do',
    (full, limit, waitedMs, running, advice) => {
      expect(told({ kind: 'refused', refusal: { kind: 'dynos-busy', full, limit, waitedMs } }).words).toBe(
        lines(`Too much at once: ${running}, which is the limit.`, advice, WHO),
      );
    },
  );

  test('a long command is quoted in part', () => {
    const command = 'x'.repeat(10_000);
    const { words } = told({ kind: 'refused', refusal: { kind: 'invalid-command', command } });
    expect(words).toContain(`'${'x'.repeat(80)}…' is not a command of this door.`);
    expect(words.length).toBeLessThan(500);
  });
});

describe('a fault of ours, with status 127, is never told as a denial:', () => {
  const stages = Object.keys(FAULT_WORDS) as Stage[];

  test.each(stages)('%s', (stage) => {
    const fault = new Fault('GM_UNAVAILABLE', stage, 'connect ECONNREFUSED db.internal:5432', { cause: 'secret' });
    expect(told({ kind: 'faulted', fault })).toEqual({
      words: lines(FAULT_WORDS[stage], NOT_REFUSED, WHO),
      exit: { code: 127 },
    });
  });
});

test('a bug of ours, with status 127, says nothing of what went wrong inside', () => {
  expect(told({ kind: 'crashed', error: new TypeError('secret at /srv/gitmouth/dist/main.js:1') })).toEqual({
    words: lines(
      'Internal error: something went wrong on our side.',
      'Try again; if it stays, tell the operator the session below.',
      WHO,
    ),
    exit: { code: 127 },
  });
});

describe('ended from outside, by signal TERM and never status 0:', () => {
  test.each(Object.keys(ENDED_WORDS) as EndReason[])('%s', (reason) => {
    const words = ENDED_WORDS[reason];
    expect(told({ kind: 'ended', reason })).toEqual({
      words: words.length === 0 ? '' : lines(...words, WHO),
      exit: { signal: 'TERM' },
    });
  });
});

/** The same refusal with hostile text in every place for a text. */
function hostile(refusal: Refusal): Refusal {
  return JSON.parse(JSON.stringify(refusal), (name, value: unknown) =>
    typeof value === 'string' && !['kind', 'service', 'full'].includes(name) ? HOSTILE_TEXT : value,
  ) as Refusal;
}

test('whatever clients and platforms call things, a verdict has the lines it is to have and moves no cursor', () => {
  const mallory: Caller = {
    ...alice,
    user: { name: HOSTILE_TEXT },
    connection: { ...alice.connection, id: HOSTILE_TEXT, login: HOSTILE_TEXT, software: HOSTILE_TEXT },
  };
  const refused = Object.values(REFUSALS).map((refusal): Outcome => ({ kind: 'refused', refusal: hostile(refusal) }));
  const fault = new Fault('GM_BAD_ANSWER', 'run', HOSTILE_TEXT);
  for (const outcome of [...refused, { kind: 'greeted' }, { kind: 'faulted', fault }] satisfies Outcome[]) {
    const { words } = verdictOf(outcome, mallory, HOSTILE_TEXT);
    expect(UNSAFE.test(words.replaceAll('\n', ''))).toBe(false);
    expect(words.split('\n')).toHaveLength(verdictOf(withoutHostility(outcome), alice, 's-1').words.split('\n').length);
  }
});

function withoutHostility(outcome: Outcome): Outcome {
  return outcome.kind === 'refused' ? { ...outcome, refusal: REFUSALS[outcome.refusal.kind] } : outcome;
}

test("no verdict tells a secret of the user's platform", () => {
  const caller = { ...alice, user: { name: 'alice', credential: 'api-key-1' } };
  const outcomes: Outcome[] = [
    { kind: 'greeted' },
    { kind: 'crashed', error: new Error('api-key-1') },
    { kind: 'faulted', fault: new Fault('GM_TIMEOUT', 'run', 'api-key-1') },
    ...Object.values(REFUSALS).map((refusal): Outcome => ({ kind: 'refused', refusal })),
  ];
  for (const outcome of outcomes) expect(verdictOf(outcome, caller, 's-1').words).not.toContain('api-key-1');
});

test('a fault that was thrown stays a fault; anything else thrown is a bug', () => {
  const fault = new Fault('GM_TIMEOUT', 'lock', 'late');
  expect(outcomeOfError(fault)).toEqual({ kind: 'faulted', fault });
  for (const error of [new Error('x'), 'x', undefined, null]) {
    expect(outcomeOfError(error)).toEqual({ kind: 'crashed', error });
  }
});

describe('the label for logs and metrics', () => {
  test.each([
    [{ kind: 'ran', exit: { kind: 'code', code: 0 } }, 'exit-0'],
    [{ kind: 'ran', exit: { kind: 'signal', signal: 'KILL' } }, 'signal-KILL'],
    [{ kind: 'greeted' }, 'greeted'],
    [
      { kind: 'answered', report: { question: 'doctor', caller: alice, apps: [], locks: [], server: 'x' } },
      'answered-doctor',
    ],
    [{ kind: 'refused', refusal: REFUSALS['no-access'] }, 'refused-no-access'],
    [{ kind: 'faulted', fault: new Fault('GM_DYNO_LOST', 'run', 'lost') }, 'fault-GM_DYNO_LOST'],
    [{ kind: 'ended', reason: 'client-left' }, 'ended-client-left'],
    [{ kind: 'crashed', error: HOSTILE_TEXT }, 'crashed'],
  ] satisfies [Outcome, string][])('of %j is %s', (outcome, label) => {
    expect(verdictLabel(outcome)).toBe(label);
  });

  test('has nothing in it that came from a client', () => {
    for (const refusal of Object.values(REFUSALS)) {
      expect(verdictLabel({ kind: 'refused', refusal: hostile(refusal) })).toBe(`refused-${refusal.kind}`);
    }
  });
});
