import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { runFixtures } from './fixture-run.js';
import { temporaryFolder } from './temporary.js';

describe('tests that need a program which is missing', () => {
  test('are skipped, and the end of the run names the programs, their packages and the file', async () => {
    const run = await runFixtures('missing-program', { ...bareMachine(), GITMOUTH_REQUIRE_ALL: '' });
    expect(run.status).toBe(0);
    expect(run.stdout.trimEnd().split('\n').slice(-2)).toEqual([
      'skipped for want of: git, bwrap (bubblewrap), 4 test(s) of test/support/fixtures/missing-program.fixture.ts',
      '1 passed, 0 failed, 4 skipped',
    ]);
  });

  test('fail by name where everything is required', async () => {
    const run = await runFixtures('missing-program', { ...bareMachine(), GITMOUTH_REQUIRE_ALL: '1' });
    expect(run.status).toBe(1);
    expect(run.files.get('missing-program')?.message).toContain(
      'GITMOUTH_REQUIRE_ALL=1, but these programs are missing or not usable: git, bwrap (bubblewrap)',
    );
    expect(run.stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed');
  });

  test('are skipped even there, where the program comes over the network from elsewhere', async () => {
    const run = await runFixtures('optional-program', { ...bareMachine(), GITMOUTH_REQUIRE_ALL: '1' });
    expect(run.status).toBe(0);
    expect(run.stdout.trimEnd().split('\n').slice(-2)).toEqual([
      'skipped for want of: newer-ssh (OpenSSH 10 by scripts/newer-openssh.sh), 1 test(s) of test/support/fixtures/optional-program.fixture.ts',
      '1 passed, 0 failed, 1 skipped',
    ]);
  });
});

/** A PATH with nothing on it but Node. */
function bareMachine(): { PATH: string } {
  const folder = temporaryFolder('bare');
  symlinkSync(process.execPath, join(folder, 'node'));
  return { PATH: folder };
}
