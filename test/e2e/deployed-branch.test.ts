/** One branch of an app is deployed: which one, and what those are told who push another. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, type Person } from '../support/door.js';
import { exampleHooks } from '../support/operator-hooks.js';
import { needs } from '../support/programs.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');

describe('the deployed branch', () => {
  let door: Door;
  let alice: Person;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_HOOKS: exampleHooks() });
    await door.start();
    alice = await door.person('alice');
  });

  afterAll(() => door.stop());

  async function headOf(app: string): Promise<string> {
    const listed = await alice.must('/', 'ls-remote', '--symref', alice.url(app), 'HEAD');
    return /^ref: refs\/heads\/(\S+)\tHEAD/.exec(listed)?.[1] ?? 'none';
  }

  function wrongBranch(branch: string, app: string): string {
    return `remote:  !     This push does not touch '${branch}', the branch of '${app}' that is deployed: nothing was deployed.`;
  }

  test.each([
    ['the first one pushed', ['main:topic'], 'topic'],
    ['main, of several pushed at first', ['main:abc', 'main:main'], 'main'],
    ['master, of several without main', ['main:abc', 'main:master'], 'master'],
  ])('is %s', async (_which, refspecs, branch) => {
    const app = `first-${branch}`;
    const work = await alice.repository();
    const { stderr } = await alice.git(work, 'push', alice.url(app), ...refspecs);
    expect(stderr).toContain(`remote: -----> Released ${branch} of ${app}`);
    expect(await door.app(app)).toMatchObject({ branch });
    expect(await headOf(app)).toBe(branch);
  });

  test('is not touched by a push of another, which is told so and how to go on', async () => {
    const work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('wrong'), 'main');
    const { code, stderr } = await alice.git(work, 'push', alice.url('wrong'), 'main:topic');
    expect(code).toBe(0);
    expect(stderr).toContain(wrongBranch('main', 'wrong'));
    expect(stderr).toContain('remote:  !     To deploy what you are on: git push <remote> HEAD:main');
    expect(await headOf('wrong')).toBe('main');
    await alice.commit(work, { more: 'of it' });
    expect((await alice.git(work, 'push', alice.url('wrong'), 'main')).stderr).not.toContain('does not touch');
  });

  test('is another once the operator says so, and HEAD follows', async () => {
    const work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('moved'), 'main', 'main:next');
    expect(await door.cli('app', 'set', 'moved', '--branch', 'next')).toMatchObject({ code: 0 });
    expect(await headOf('moved')).toBe('next');
    await alice.commit(work, { more: 'of it' });
    const wrong = await alice.git(work, 'push', alice.url('moved'), 'main');
    expect(wrong.stderr).toContain(wrongBranch('next', 'moved'));
    const right = await alice.git(work, 'push', alice.url('moved'), 'main:next');
    expect(right.stderr).toContain('remote: -----> Released next of moved');
    // No longer the one that is deployed, it can go.
    expect(await alice.git(work, 'push', alice.url('moved'), '--delete', 'main')).toMatchObject({ code: 0 });
  });

  test('can be one that is not there yet', async () => {
    const work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('later'), 'main');
    expect(await door.cli('app', 'set', 'later', '--branch', 'release/1')).toMatchObject({ code: 0 });
    expect((await alice.git(work, 'push', alice.url('later'), 'main:x')).stderr).toContain(
      wrongBranch('release/1', 'later'),
    );
    await alice.must(work, 'push', '--quiet', alice.url('later'), 'main:release/1');
    expect(await headOf('later')).toBe('release/1');
  });
});
