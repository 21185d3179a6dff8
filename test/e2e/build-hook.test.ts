/** Deploying by git push: the operator's hook builds what is pushed, tells how it goes, and may say no. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, execute, type Person } from '../support/door.js';
import { exampleHooks } from '../support/operator-hooks.js';
import { isUsable, needs } from '../support/programs.js';
import { Running } from '../support/running.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');

/** The lines that the hook wrote, as git shows them. */
function remoteLines(stderr: string): string[] {
  return [...stderr.matchAll(/^remote: (.*)$/gm)].map(([, line = '']) => line.trimEnd());
}

describe('a push with a build hook', () => {
  let door: Door;
  let alice: Person;

  beforeAll(async () => {
    door = new Door({ GITMOUTH_HOOKS: exampleHooks(), OPERATORS_SECRET: 'hunter2' });
    await door.start();
    alice = await door.person('alice');
  });

  afterAll(() => door.stop());

  test('runs it in a sandbox wherever this machine allows one', () => {
    expect(door.events('server-started')[0]).toMatchObject({ sandbox: isUsable('bwrap') ? 'bubblewrap' : 'none' });
  });

  test('creates the app at the first time, builds it and makes its branch the deployed one', async () => {
    const work = await alice.repository({ 'build.sh': 'echo "compiling as $(id -u)"\n' });
    const { code, stderr } = await alice.git(work, 'push', alice.url('first'), 'main');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('[new branch]      main -> main') });
    expect(stderr).toContain(" !     The app 'first' did not exist; this push creates it, and you own it.\n");
    expect(remoteLines(stderr)).toEqual([
      '-----> Building main of first for alice',
      expect.stringMatching(/^compiling as [1-9]\d*$/),
      '-----> Built 1 file(s)',
      '-----> Released main of first',
    ]);
    expect(await door.app('first')).toMatchObject({ owner: 'alice', branch: 'main' });
  });

  test('leaves neither ref nor app nor repository when its first push is refused', async () => {
    const work = await alice.repository({ refuse: 'the tests are red\n' });
    const { code, stderr } = await alice.git(work, 'push', alice.url('refused'), 'main');
    expect(code).toBe(1);
    expect(remoteLines(stderr)).toContain(' !     Push refused: the tests are red');
    expect(stderr).toContain('! [remote rejected] main -> main (pre-receive hook declined)');
    expect(await door.app('refused')).toBeUndefined();
    expect(existsSync(door.repository('refused'))).toBe(false);
  });

  test('moves no ref and leaves no object behind when it is refused', async () => {
    const work = await alice.repository();
    const good = await alice.must(work, 'rev-parse', 'HEAD');
    await alice.must(work, 'push', '--quiet', alice.url('steady'), 'main');
    const objects = await door.inRepository('steady', 'count-objects', '-v');
    await alice.commit(work, { refuse: 'not on a Friday\n' });
    const { code, stderr } = await alice.git(work, 'push', alice.url('steady'), 'main', 'main:other');
    expect(code).toBe(1);
    expect(stderr).toContain('! [remote rejected] main -> main (pre-receive hook declined)');
    expect(stderr).toContain('! [remote rejected] main -> other (pre-receive hook declined)');
    expect(await door.inRepository('steady', 'for-each-ref', '--format=%(objectname) %(refname)')).toBe(
      `${good} refs/heads/main`,
    );
    expect(await door.inRepository('steady', 'count-objects', '-v')).toBe(objects);
    const folders = readdirSync(`${door.repository('steady')}/objects`);
    expect(folders.filter((name) => name.startsWith('tmp_'))).toEqual([]);
    expect(await door.app('steady')).toMatchObject({ owner: 'alice' });
  });

  test('sees what the build writes while it runs', async () => {
    const work = await alice.repository({ 'build.sh': 'echo step one; sleep 1; echo step two\n' });
    const push = new Running('git', ['push', alice.url('streaming'), 'main'], { cwd: work, env: alice.environment });
    const first = await push.line('step one');
    const second = await push.line('step two');
    expect((await push.ended()).code).toBe(0);
    expect(second.atMs - first.atMs).toBeGreaterThan(600);
  });

  test('tells the hook who pushes what from where, and nothing of the server', async () => {
    const work = await alice.repository({ 'build.sh': 'env | sort\n' });
    await alice.must(work, 'push', '--quiet', alice.url('environment'), 'main');
    await alice.commit(work, { more: 'of it' });
    const { stderr } = await alice.git(work, 'push', alice.url('environment'), 'main');
    const lines = remoteLines(stderr);
    const { stdout: fingerprint } = await execute('ssh-keygen', ['-l', '-f', alice.publicKeyFile]);
    expect(lines.filter((line) => line.startsWith('GITMOUTH_'))).toEqual([
      'GITMOUTH_APP=environment',
      'GITMOUTH_BRANCH=main',
      'GITMOUTH_CLIENT_ADDRESS=127.0.0.1',
      expect.stringMatching(/^GITMOUTH_FENCE=\//),
      `GITMOUTH_KEY_FINGERPRINT=${fingerprint.split(' ')[1]}`,
      expect.stringMatching(/^GITMOUTH_LOCK_TOKEN=\d+$/),
      expect.stringMatching(/^GITMOUTH_OPERATOR_HOOKS=\//),
      expect.stringMatching(/^GITMOUTH_SESSION_ID=./),
      'GITMOUTH_USER=alice',
    ]);
    const session = /^remote: GITMOUTH_SESSION_ID=(\S+)/m.exec(stderr)?.[1] ?? '';
    expect(await door.session({ session })).toMatchObject({ app: 'environment', user: 'alice', verdict: 'exit-0' });
    expect(lines).toEqual(expect.arrayContaining(['LANG=C.UTF-8', expect.stringMatching(/^PATH=\/usr/)]));
    for (const secret of ['hunter2', process.env['HOME'] ?? 'HOME=']) expect(stderr).not.toContain(secret);
    if (isUsable('bwrap')) expect(stderr).not.toContain(door.data);
  });

  test('hands push options to the hook', async () => {
    const work = await alice.repository({ 'build.sh': 'env | grep ^GIT_PUSH_OPTION_ | sort\n' });
    const options = ['--push-option=ci.skip', '-o', 'note=two words'];
    const { code, stderr } = await alice.git(work, 'push', ...options, alice.url('options'), 'main');
    expect(code).toBe(0);
    expect(remoteLines(stderr)).toEqual(
      expect.arrayContaining([
        'GIT_PUSH_OPTION_0=ci.skip',
        'GIT_PUSH_OPTION_1=note=two words',
        'GIT_PUSH_OPTION_COUNT=2',
      ]),
    );
  });
});
