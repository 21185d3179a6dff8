/** The newcomer's path as a user without any rights, and what happens where nothing isolates dynos. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { Account } from '../support/account.js';
import { execute, type Result } from '../support/door.js';
import { isRoot } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { Served } from '../support/served.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'setpriv');

const USER = 12_345;
const LOOPBACK = ['--listen', '127.0.0.1:0'];
const HOOK = `#!/bin/sh
while read -r old new ref; do
  echo "$GITMOUTH_USER pushed $ref to $GITMOUTH_APP"
  git cat-file -e "$new:forbidden" 2>/dev/null && { echo 'this is forbidden'; exit 1; }
done
exit 0
`;

let served: Served | undefined;

afterEach(async () => {
  await served?.stop();
  served = undefined;
});

async function serve(account: Account, env: Record<string, string> = {}, args = LOOPBACK): Promise<Served> {
  served = await Served.start(account.gitmouth('serve', ...args), { HOME: account.home, ...env });
  return served;
}

/** A start that is refused. */
function refusedStart(account: Account, env: Record<string, string>, args: readonly string[]): Promise<Result> {
  const [command, ...rest] = account.gitmouth('serve', ...args);
  return execute(command, rest, { env: { HOME: account.home, ...env }, limitMs: 60_000 });
}

/** Push, clone, fetch, and a hook that lets through and refuses. */
async function expectServes(account: Account, { commands, port }: Served): Promise<void> {
  const identity = `git -c user.name=${account.name} -c user.email=a@example.com`;
  const folder = await account.repository('project');
  const pushed = await account.shell(commands[0] ?? '', folder);
  expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('HEAD -> main') });
  expect(pushed.stderr).toContain(`remote: ${account.name} pushed refs/heads/main to hello`);
  const url = `ssh://git@127.0.0.1:${port}/hello.git`;
  expect(await account.shell(`git clone -q ${url} copy`)).toMatchObject({ code: 0 });
  const tips = await account.shell('git -C copy rev-parse HEAD && git -C project rev-parse HEAD');
  const [copied, original] = tips.stdout.trim().split('\n');
  expect(copied).toBe(original);
  const refused = await account.shell(
    `: > forbidden && git add forbidden && ${identity} commit -qm no && git push ${url} HEAD:main`,
    folder,
  );
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('remote: this is forbidden') });
  expect((await account.shell(`git ls-remote ${url} refs/heads/main`)).stdout).toContain(original);
}

function withHook(account: Account): Record<string, string> {
  mkdirSync(join(account.home, 'hooks'));
  account.own('hooks');
  account.write('hooks/pre-receive', HOOK, 0o755);
  return { GITMOUTH_HOOKS: join(account.home, 'hooks') };
}

describe('as a user without any rights', () => {
  test('a newcomer starts, pushes, clones and is refused by a hook, in a sandbox', async () => {
    const account = new Account('newcomer', USER);
    await account.key('id_ed25519');
    const server = await serve(account, { ...withHook(account), GITMOUTH_SANDBOX: 'bubblewrap' });
    expect(server.said).toContain('made the user newcomer');
    expect(server.log).toContain('"sandbox":"bubblewrap"');
    await expectServes(account, server);
    const data = join(account.home, 'data');
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(join(data, 'repositories/hello.git')).uid).toBe(account.uid);
  });

  test('a user that has no entry in the password file can start it too', async () => {
    const account = new Account('nameless', USER, { hasNoEntry: true });
    account.write('.ssh/id_ed25519', '');
    const server = await serve(account);
    expect(server.said).toContain('There is no user yet');
    expect(server.commands[0]).toMatch(/^npx gitmouth user add owner --key/);
  });
});

describe('without a sandbox', () => {
  test('as asked for on loopback, all works, and the warning is loud', async () => {
    const account = new Account('newcomer', USER);
    await account.key('id_ed25519');
    const server = await serve(account, { ...withHook(account), GITMOUTH_SANDBOX: 'none' });
    expect(server.log).toContain('DYNOS ARE NOT ISOLATED: GITMOUTH_SANDBOX=none');
    expect(server.log).toContain('"sandbox":"none"');
    await expectServes(account, server);
  });

  test('auto falls back to none, loudly, while only this machine can come in', async () => {
    const account = new Account('newcomer', USER, { hidden: ['/usr/bin/bwrap'] });
    await account.key('id_ed25519');
    const server = await serve(account, withHook(account));
    expect(server.log).toMatch(/DYNOS ARE NOT ISOLATED: no sandbox works here: bubblewrap .* is not installed/);
    await expectServes(account, server);
  });

  test.each([
    ['0.0.0.0:0', {}],
    ['[::]:0', {}],
    ['127.0.0.1:0,0.0.0.0:0', {}],
    ['127.0.0.1:0', { GITMOUTH_PROXY_FROM: '192.0.2.7' }],
  ])('auto refuses to start on %s with %j, says how to go on, and makes no key', async (address, settings) => {
    const account = new Account('newcomer', USER, { hidden: ['/usr/bin/bwrap'] });
    await account.key('id_ed25519');
    const { code, stdout, stderr } = await refusedStart(account, { GITMOUTH_SANDBOX: 'auto', ...settings }, [
      '--listen',
      address,
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^gitmouth: dynos can not be isolated: bubblewrap .* is not installed \(install bubblewrap/);
    expect(stderr).toContain(
      'Put that right, listen on 127.0.0.1 alone and for no proxy, or set GITMOUTH_SANDBOX=none if',
    );
    expect(stderr).not.toMatch(/^ +at /m);
    // The one file that does not depend on anything: what every dyno sees as its config.
    expect(filesIn(join(account.home, 'data'))).toEqual(['dyno/repository-config-4096-mib']);
  });

  test('a sandbox that is asked for is never left out, not on loopback either', async () => {
    const account = new Account('newcomer', USER, { hidden: ['/usr/bin/bwrap'] });
    const { code, stderr } = await refusedStart(account, { GITMOUTH_SANDBOX: 'bubblewrap' }, LOOPBACK);
    expect(code).toBe(1);
    expect(stderr).toContain('Put that right, or set GITMOUTH_SANDBOX=none if');
  });
});

describe('a root server without a sandbox', () => {
  (isRoot ? test : test.skip)('does not start where its dynos could not reach their repositories', async () => {
    const account = new Account('ada', 0, { hidden: ['/usr/bin/bwrap'] });
    const { code, stderr } = await refusedStart(account, {}, LOOPBACK);
    expect(code).toBe(1);
    expect(stderr).toContain(`the dyno user can not write to a repository in ${join(account.home, 'data')}`);
    expect(stderr).toContain('every user may pass through the folders above it (chmod o+x)');
    await account.shell('chmod o+x .');
    await account.key('id_ed25519');
    const server = await serve(account, withHook(account));
    await expectServes(account, server);
  });
});

function filesIn(folder: string): readonly string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).filter((path) => statSync(join(folder, path)).isFile());
}
