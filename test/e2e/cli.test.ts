/** What all of the operator's commands have in common: lists, and words that are safe to print. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door } from '../support/door.js';
import { newKey, Operator, UNSAFE } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const door = new Door();
const operator = new Operator(door);

beforeAll(async () => {
  await door.start();
  await door.person('owner');
  await door.cli('app', 'create', 'shared', '--owner', 'owner');
});

afterAll(() => door.stop());

describe('hostkey show', () => {
  test('shows lines for known_hosts that clients accept', async () => {
    const keys = await operator.listed('hostkey', 'show');
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(['ssh-ed25519', 'ssh-rsa']);
    const { stdout } = await door.cli('hostkey', 'show');
    for (const key of keys) expect(stdout).toContain(`${String(key['fingerprint'])}\n  ${String(key['publicKey'])}`);
    expect(door.knownHosts()).toContain(String(keys[0]?.['publicKey']));
  });

  test('says what makes them while there are none', async () => {
    const data = join(temporaryFolder('none'), 'data');
    await operator.refused(
      ['hostkey', 'show', '--data', data],
      /there are no host keys yet: the first start makes them/,
    );
    expect(existsSync(data)).toBe(false);
  });
});

describe('lists', () => {
  test('of nothing say how to begin, and are empty as JSON', async () => {
    const data = join(temporaryFolder('none'), 'data');
    expect((await door.cli('user', 'list', '--data', data)).stdout).toMatch(
      /^No users yet\. Add one: gitmouth user add/,
    );
    expect((await door.cli('app', 'list', '--data', data)).stdout).toMatch(/^No apps yet\. A push creates one/);
    expect((await door.cli('user', 'list', '--data', data, '--json')).stdout).toBe('[]\n');
    expect((await door.cli('app', 'list', '--data', data, '--json')).stdout).toBe('[]\n');
  });
});

describe('control characters', () => {
  const EVIL = '\u001b[2J\u009b31m\u202e\rgone';

  test('in what was given reach no terminal raw', async () => {
    const file = join(temporaryFolder('evil'), `${EVIL}.pub`);
    await Promise.all(
      [
        ['user', 'add', EVIL],
        ['user', 'add', 'x', '--key', file],
        ['user', 'remove', EVIL],
        ['key', 'list', EVIL],
        ['key', 'remove', 'owner', EVIL],
        ['app', 'create', EVIL, '--owner', 'owner'],
        ['app', 'create', 'x', '--owner', EVIL],
        ['app', 'create', 'x', '--owner', 'owner', '--import', file],
        ['app', 'share', 'shared', EVIL],
        ['app', 'set', 'shared', '--branch', EVIL],
        ['app', 'set', 'shared', '--archive', EVIL],
        ['app', 'destroy', EVIL],
        [EVIL],
        ['user', EVIL],
      ].map((args) => operator.refused(args, /\\u001b\[2J\\u009b31m\\u202e\\u000d/)),
    );
  });

  test('in the comment of a key reach no terminal raw', async () => {
    const { file } = await newKey('harmless');
    const line = readFileSync(file, 'utf8').trim();
    writeFileSync(file, `${line.replace('harmless', EVIL.replace('\r', ''))}\n`);
    expect((await door.cli('user', 'add', 'evil', '--key', file)).code).toBe(0);
    for (const args of [
      ['key', 'list', 'evil'],
      ['key', 'list', 'evil', '--json'],
      ['user', 'list'],
    ]) {
      expect((await door.cli(...args)).stdout).not.toMatch(UNSAFE);
    }
  });
});
