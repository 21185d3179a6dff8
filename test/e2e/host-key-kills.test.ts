/** A host key's retirement that is cut off, before each of its changes to files in turn, as by a kill. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { addNextHostKey, retireHostKey } from '../../src/adapters/ssh2/host-keys/rotation.js';
import { loadHostKeys, loadOrCreateHostKeys } from '../../src/adapters/ssh2/host-keys/files.js';
import { execute } from '../support/door.js';
import { temporaryFolder } from '../support/temporary.js';

const PROGRAM = join(import.meta.dirname, '../support/cut-off-retirements.mjs');

test('a retirement that is cut off leaves every key in some file, keys to start with, and can be done again', async () => {
  const template = join(temporaryFolder('template'), 'host-keys');
  loadOrCreateHostKeys(template, 'modern');
  const next = addNextHostKey([template, 'modern'], { type: 'ed25519' });
  const [old, rsa] = loadHostKeys(template, 'modern');
  if (old === undefined || rsa === undefined) throw new Error('no host keys');
  const out = temporaryFolder('out');
  const { code, stderr } = await execute(process.execPath, [PROGRAM, template, old.fingerprint, out]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });

  const before = `${old.fingerprint} current, ${rsa.fingerprint} current, ${next.fingerprint} next`;
  const after = `${next.fingerprint} current, ${rsa.fingerprint} current`;
  const outcomes = readdirSync(out).map((cut) => {
    const folder = join(out, cut);
    const contents = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    for (const { privateKey } of [old, next, rsa]) expect(contents).toContain(privateKey);
    const outcome = shown(folder);
    if (outcome === before) retireHostKey([folder, 'modern'], old.fingerprint, Date.now());
    expect(shown(folder)).toBe(after);
    return outcome;
  });
  // A temporary file that is removed, made, written, made to last and named, and then the next key's new name.
  expect(outcomes.filter((outcome) => outcome === before).length).toBeGreaterThan(5);
  expect(new Set(outcomes)).toEqual(new Set([before, after]));
});

/** What a start begins with. */
function shown(folder: string): string {
  return loadOrCreateHostKeys(folder, 'modern')
    .map(({ fingerprint, state }) => `${fingerprint} ${state}`)
    .join(', ');
}
