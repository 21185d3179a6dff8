/** The ways in which git, scp and people ask for a command, and what each gets. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, execute, type Person, type Result } from '../support/door.js';
import { needs } from '../support/programs.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');

/** Ends git's conversation at its first turn (gitprotocol-common(5)). */
const FLUSH = '0000';

describe('a command', () => {
  let door: Door;
  let alice: Person;
  let tip: string;

  beforeAll(async () => {
    door = new Door();
    await door.start();
    alice = await door.person('alice');
    const work = await alice.repository();
    tip = await alice.must(work, 'rev-parse', 'HEAD');
    await alice.must(work, 'push', '--quiet', alice.url('app'), 'main');
  });

  afterAll(() => door.stop());

  function ask(command: string, ...before: string[]): Promise<Result> {
    return alice.ssh([command], { before: ['-T', ...before], input: FLUSH });
  }

  /** That git in the dyno told the app's refs, and ended well. */
  function expectRefs({ code, stdout, stderr }: Result): void {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^[0-9a-f]{4}${tip} (HEAD|refs/heads/main)\\0`));
    expect(stdout).toContain(`${tip} refs/heads/main`);
  }

  test.each([
    "git-upload-pack 'app.git'",
    "git-upload-pack '/app.git'",
    "git-upload-pack '~/app.git'",
    "git-upload-pack 'app'",
    "git upload-pack 'app.git'",
    "git upload-pack '/app.git'",
    'git-upload-pack app.git',
    'git-upload-pack /app',
    'git upload-pack ~/app',
    "git-receive-pack 'app.git'",
    'git receive-pack /app',
  ])('%s is served', async (command) => {
    expectRefs(await ask(command));
  });

  test.each([
    ["git-upload-pack '../app.git'", 'does not name an app'],
    ["git-upload-pack 'folder/app.git'", 'does not name an app'],
    ["git-upload-pack '/srv/app.git'", 'does not name an app'],
    ["git-upload-pack '~alice/app.git'", 'does not name an app'],
    ["git-upload-pack '//app.git'", 'does not name an app'],
    ["git-upload-pack ''", 'does not name an app'],
    ['git-upload-pack', 'does not name an app'],
    ['git-upload-pack "app.git"', 'does not name an app'],
    ["git-upload-pack 'app.git' --strict", 'does not name an app'],
    ["git-upload-pack --strict 'app.git'", 'does not name an app'],
    ['git-upload-pack --help', 'does not name an app'],
    ["git-upload-pack 'app.git'; id", 'does not name an app'],
    ["git-upload-pack 'app.git'\nid", 'does not name an app'],
    ["git-upload-pack 'app$(id).git'", 'does not name an app'],
    ["git-receive-pack 'app'\\'''", 'does not name an app'],
    [`git-upload-pack '${'a'.repeat(64)}'`, 'does not name an app'],
    ["git-upload-archive '..'", 'does not name an app'],
    [`git-upload-pack '${'a'.repeat(300)}'`, 'is not a command of this door'],
    ['ls -la', 'is not a command of this door'],
    ['sh -c id', 'is not a command of this door'],
    ["GIT-UPLOAD-PACK 'app.git'", 'is not a command of this door'],
    ["git  upload-pack 'app.git'", 'is not a command of this door'],
    [" git-upload-pack 'app.git'", 'is not a command of this door'],
    ['git-shell -c "git-upload-pack \'app.git\'"', 'is not a command of this door'],
    ["git-lfs 'app.git'", 'is not a command of this door'],
    ['scp -t .', 'is not a command of this door'],
    ['rsync --server . .', 'is not a command of this door'],
    ['git-lfs-authenticate app.git download', 'Git LFS is not served over SSH here.'],
    ['git-lfs-transfer app.git upload', 'Git LFS is not served over SSH here.'],
  ])('%j is refused in a sentence', async (command, sentence) => {
    const { code, stdout, stderr } = await ask(command);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(sentence);
    for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^ !     \S/);
    expect(stderr).toMatch(/\n !     You are alice, by the key SHA256:\S+\. Session \S+\.\n$/);
  });

  test('reaches no terminal raw when it is refused', async () => {
    const { stderr } = await ask("\u001b]0;owned\u0007 \u202e git-upload-pack 'app.git'");
    expect(stderr).toContain('\\u001b]0;owned\\u0007 \\u202e');
    // eslint-disable-next-line no-control-regex
    expect(stderr + door.log).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  test.each([
    ['ssh:// with a path', (port: number) => `ssh://git@127.0.0.1:${port}/app.git`],
    ['ssh:// without .git', (port: number) => `ssh://git@127.0.0.1:${port}/app`],
    ['ssh:// with a tilde', (port: number) => `ssh://git@127.0.0.1:${port}/~/app.git`],
    ['ssh:// without a login name', (port: number) => `ssh://127.0.0.1:${port}/app.git`],
    ['scp-like', () => 'git@127.0.0.1:app.git'],
    ['scp-like with a slash', () => 'git@127.0.0.1:/app.git'],
    ['scp-like with a tilde', () => 'git@127.0.0.1:~/app'],
    ['scp-like with any login name', () => 'anybody@127.0.0.1:app'],
  ])('comes from a URL: %s', async (_form, url) => {
    const GIT_SSH_COMMAND = `${alice.environment['GIT_SSH_COMMAND']} -p ${door.port}`;
    const env = { ...alice.environment, GIT_SSH_COMMAND };
    const { code, stdout } = await execute('git', ['ls-remote', url(door.port), 'main'], { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${tip}\trefs/heads/main\n` });
  });

  test.each([
    ['FOO=bar'],
    ['LD_PRELOAD=/tmp/evil.so'],
    ['GIT_PROTOCOL=version=2;evil'],
    ['GIT_PROTOCOL=version=3'],
    ['GIT_PROTOCOL=version=2:version=1'],
    ['GIT_PROTOCOL='],
  ])('is served in version 0 although the environment %s is refused', async (environment) => {
    const before = (await door.sessions()).length;
    expectRefs(await ask("git-upload-pack 'app.git'", '-o', `SetEnv=${environment}`));
    expect((await door.sessions(before + 1)).at(-1)).toMatchObject({ protocol: 0, app: 'app', exit: 0 });
  });

  test('is served in the version that a good environment asks for', async () => {
    const { code, stdout } = await ask("git-upload-pack 'app.git'", '-o', 'SetEnv=GIT_PROTOCOL=version=2');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('version 2\n') });
    expect(await door.session({ protocol: 2 })).toMatchObject({ app: 'app', verdict: 'exit-0' });
  });
});
