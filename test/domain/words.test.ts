import { describe, expect, test } from '@jest/globals';
import { identifyFaultBanner } from '../../src/domain/words/fault.js';
import { duration, marked, utc } from '../../src/domain/words/lines.js';
import { printable } from '../../src/domain/words/printable.js';
import { createdWords, drainNotice, dynoWaitingWords, waitingWords } from '../../src/domain/words/progress.js';
import { HOSTILE_TEXT, UNSAFE } from './someone.js';

const UNITS = Array.from({ length: 0x10000 }, (_, unit) => unit);

describe('printable', () => {
  test('leaves no unsafe character of all 65,536 code units, alone or between others', () => {
    for (const unit of UNITS) {
      const character = String.fromCharCode(unit);
      for (const text of [character, `a${character}b`]) if (UNSAFE.test(printable(text))) expect(unit).toBe('safe');
    }
  });

  test('shows every unsafe code unit by its number, and leaves every other one as it is', () => {
    for (const unit of UNITS) {
      const character = String.fromCharCode(unit);
      const expected = UNSAFE.test(character) ? `\\u${unit.toString(16).padStart(4, '0')}` : character;
      if (printable(character) !== expected) expect([unit, printable(character)]).toEqual([unit, expected]);
    }
  });

  test('leaves no unsafe character beyond the first 65,536 either, where text can be hidden in tags', () => {
    for (let point = 0x10000; point <= 0x10ffff; point += point < 0xe0000 || point > 0xe0200 ? 7 : 1) {
      if (UNSAFE.test(printable(String.fromCodePoint(point)))) expect(point).toBe('safe');
    }
    expect(printable('\u{e0041}')).toBe('\\u{e0041}');
  });

  test.each([
    ['a line end', 'a\r\nb', 'a\\u000d\\u000ab'],
    ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
    ['an escape sequence in one unit', '\u009b2J', '\\u009b2J'],
    ['a text turned around', 'a\u202eb', 'a\\u202eb'],
    ['half a pair', 'a\ud83d', 'a\\ud83d'],
    ['the other half', '\ude00a', '\\ude00a'],
    ['two halves the wrong way round', '\ude00\ud83d', '\\ude00\\ud83d'],
    ['a whole pair', '😀', '😀'],
    ['other alphabets', 'žluťoučký 用户', 'žluťoučký 用户'],
    ['nothing', '', ''],
  ])('%s', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test('cuts what is longer than it may be, and marks the cut', () => {
    expect(printable('abcdef', 6)).toBe('abcdef');
    expect(printable('abcdefg', 6)).toBe('abcdef…');
    expect(printable('x'.repeat(300))).toBe(`${'x'.repeat(256)}…`);
    expect(printable('a😀', 2)).toBe('a\\ud83d…');
  });

  test('made printable again, text stays as it is', () => {
    const once = printable(HOSTILE_TEXT);
    expect(printable(once)).toBe(once);
  });
});

describe('lines of ours', () => {
  test('stand apart from what git says, and end', () => {
    expect(marked('one', 'two')).toBe(' !     one\n !     two\n');
    expect(marked()).toBe('');
  });

  test('stay one line each, whatever they quote', () => {
    const words = marked(`a${HOSTILE_TEXT}b`, 'two');
    expect(words.split('\n')).toHaveLength(3);
    expect(UNSAFE.test(words.replaceAll('\n', ''))).toBe(false);
  });

  test.each([
    [0, '0 seconds'],
    [499, '0 seconds'],
    [500, '1 second'],
    [1_000, '1 second'],
    [1_499, '1 second'],
    [2_000, '2 seconds'],
    [119_499, '119 seconds'],
    [119_500, '2 minutes'],
    [120_000, '2 minutes'],
    [150_000, '3 minutes'],
    [600_000, '10 minutes'],
    [7_140_000, '119 minutes'],
    [7_200_000, '2 hours'],
    [86_400_000, '24 hours'],
  ])('%i ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test.each([
    [0, '1970-01-01 00:00:00 UTC'],
    [Date.UTC(2026, 10, 24, 5, 30, 0, 999), '2026-11-24 05:30:00 UTC'],
  ])('%i is %s', (ms, text) => {
    expect(utc(ms)).toBe(text);
  });
});

describe('what is said while a session goes on', () => {
  const holder = { user: 'bob', session: 's-2', since: Date.UTC(2026, 10, 24, 5, 30) };

  test('to who begins to wait', () => {
    expect(waitingWords('shop', holder, 'wait', 0)).toBe(
      " !     Waiting for another push to 'shop' (by bob since 2026-11-24 05:30:00 UTC)…\n",
    );
  });

  test('to who has another push ended for theirs', () => {
    expect(waitingWords('shop', holder, 'supersede', 10_000)).toBe(
      " !     Ending another push to 'shop' (by bob since 2026-11-24 05:30:00 UTC), waited 10 seconds…\n",
    );
  });

  test('to who waits still', () => {
    expect(waitingWords('shop', holder, 'wait', 20_000)).toBe(
      " !     Waiting for another push to 'shop' (by bob since 2026-11-24 05:30:00 UTC), waited 20 seconds…\n",
    );
  });

  test.each([
    ['connection', 10, 0, '(10 commands run over this connection)…'],
    ['connection', 1, 999, '(1 command runs over this connection)…'],
    ['user', 16, 10_000, '(16 commands of yours run here), waited 10 seconds…'],
    ['server', 32, 130_000, '(this server runs 32 commands), waited 2 minutes…'],
    ['server', 1, 0, '(this server runs 1 command)…'],
  ] as const)('to who waits while no dyno of the %s is free', (full, limit, waitedMs, words) => {
    expect(dynoWaitingWords({ full, limit }, waitedMs)).toBe(` !     Waiting for your turn ${words}\n`);
  });

  test('when the server is told to stop', () => {
    expect(drainNotice(300_000)).toBe(
      ' !     This server is about to restart. Your command has 5 minutes to finish.\n',
    );
  });

  test('when a push creates its app', () => {
    expect(createdWords('shop')).toBe(" !     The app 'shop' did not exist; this push creates it, and you own it.\n");
  });

  test('when a key cannot be looked up', () => {
    expect(identifyFaultBanner('c-1')).toBe(
      [
        'Your key could not be checked just now.',
        'This is a fault on our side and not a refusal: try again in a moment.',
        'Connection c-1.',
        '',
      ].join('\n'),
    );
  });
});
