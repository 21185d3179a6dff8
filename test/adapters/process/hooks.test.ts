import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HOOKS_FOLDER } from '../../../src/adapters/process/assets.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { bubblewrap, SERVER, unsandboxed } from './ground.js';
import { Place, type Result } from './place.js';

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

withBubblewrap(`hooks in bubblewrap, started by ${SERVER}`, () => {
  hooks(bubblewrap, '/gitmouth/operator-hooks');

  test('run with the hooks folders read-only', async () => {
    const { code, stderr } = await runOnce(
      bubblewrap(),
      'for folder in /gitmouth/hooks /gitmouth/operator-hooks; do touch $folder/x || echo "no: $folder"; done',
    );
    expect(code).toBe(0);
    expect(stderr).toContain('remote: no: /gitmouth/hooks');
    expect(stderr).toContain('remote: no: /gitmouth/operator-hooks');
  });
});

withGit(`hooks without a sandbox, started by ${SERVER}`, () => hooks(unsandboxed));

/** One push to a new repository, with this as the operator's pre-receive hook. */
async function runOnce(sandbox: Sandbox, preReceive: string): Promise<Result> {
  const place = await Place.open(sandbox, { 'pre-receive': preReceive });
  try {
    return await place.push('main');
  } finally {
    await place.close();
  }
}

function hooks(make: () => Sandbox, operatorFolder?: string): void {
  let place: Place | undefined;

  beforeEach(() => {
    place = undefined;
  });
  afterEach(() => place?.close());

  async function open(scripts?: Record<string, string>, environment?: Record<string, string>): Promise<Place> {
    place = await Place.open(make(), scripts, environment);
    return place;
  }

  test('are not needed: without any, a push works', async () => {
    const there = await open();
    expect(await there.push('main')).toMatchObject({ code: 0 });
    expect(there.has('main')).toBe(true);
  });

  test('run for each event, with the arguments and the input git gives them', async () => {
    const say = 'echo "${0##*/}($*)[$(cat)]" >>told';
    const names = ['pre-receive', 'post-receive', 'update', 'post-update', 'reference-transaction'];
    const scripts = Object.fromEntries(
      names.map((name) => [
        name,
        name.endsWith('receive') || name.startsWith('ref') ? say : 'echo "${0##*/}($*)" >>told',
      ]),
    );
    const there = await open(scripts);
    expect(await there.push('main')).toMatchObject({ code: 0 });
    const id = (await there.git('rev-parse', 'main')).stdout.trim();
    const zero = '0'.repeat(40);
    const told = readFileSync(join(there.repository, 'told'), 'utf8');
    const isOfTransaction = (text: string): boolean => /^(reference-transaction|\S+ \S+ HEAD)/.test(text);
    expect(told.split('\n').filter((text) => !isOfTransaction(text))).toEqual([
      `pre-receive()[${zero} ${id} refs/heads/main]`,
      `update(refs/heads/main ${zero} ${id})`,
      `post-receive()[${zero} ${id} refs/heads/main]`,
      'post-update(refs/heads/main)',
      '',
    ]);
    for (const state of ['prepared', 'committed'])
      expect(told).toContain(`reference-transaction(${state})[${zero} ${id} refs/heads/main`);
  });

  test.each(['pre-receive', 'update'])(
    'of the operator refuse a push in %s: the ref does not move, and the pusher reads why',
    async (name) => {
      const there = await open({ [name]: 'echo "not on a Friday"; echo "really not" >&2; exit 1' });
      const { code, stderr } = await there.push('main');
      expect(code).toBe(1);
      expect(stderr).toContain('remote: not on a Friday');
      expect(stderr).toContain('remote: really not');
      expect(stderr).toContain('[remote rejected]');
      expect(there.has('main')).toBe(false);
    },
  );

  test('of the operator refuse a change in reference-transaction: git gives the push up, and the ref does not move', async () => {
    const there = await open({ 'reference-transaction': '[ "$1" != prepared ]' });
    expect((await there.push('main')).code).toBe(128);
    expect(there.has('main')).toBe(false);
  });

  test('see who pushed, and nothing of how git was told to run them', async () => {
    const who = {
      GITMOUTH_USER: 'anna',
      GITMOUTH_KEY_FINGERPRINT: 'SHA256:x',
      GITMOUTH_APP: 'app',
      GITMOUTH_SESSION_ID: 's1',
      GITMOUTH_CLIENT_ADDRESS: '192.0.2.1',
    };
    const there = await open({ 'pre-receive': 'env', 'post-receive': 'env | sed s/^/after-/' }, who);
    const { stderr } = await there.push('main');
    const said = stderr.split('\n').map((text) => text.replace(/^remote: /, '').trimEnd());
    for (const [name, value] of Object.entries(who)) {
      expect(said).toContain(`${name}=${value}`);
      expect(said).toContain(`after-${name}=${value}`);
    }
    if (operatorFolder !== undefined) expect(said).toContain(`GITMOUTH_OPERATOR_HOOKS=${operatorFolder}`);
    expect(stderr).toContain('GIT_QUARANTINE_PATH=');
    expect(stderr).not.toContain('GIT_CONFIG_PARAMETERS');
    expect(stderr).not.toContain('GIT_CONFIG_COUNT');
  });

  test('of gitmouth do not run for git commands of a build in other repositories', async () => {
    const build = `unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
      cd "$(mktemp -d)" && git init --quiet . && git -c user.name=b -c user.email=b@b commit --quiet --allow-empty -m x
      echo "hooks: $(git config core.hooksPath)"; echo build >>"$HOME/ran"; echo "runs: $(wc -l <"$HOME/ran")"; rm -rf "$PWD"`;
    const there = await open({ 'pre-receive': build, 'reference-transaction': 'echo build >>"$HOME/ran"' });
    const { code, stderr } = await there.push('main');
    expect(code).toBe(0);
    expect(stderr).toMatch(/remote: hooks: *\n/);
    expect(stderr).toMatch(/remote: runs: 1 *\n/);
  });

  test('stream to the pusher: what a hook says arrives while it runs', async () => {
    const there = await open({ 'pre-receive': 'echo compiling; while [ ! -e go ]; do sleep 0.05; done; echo built' });
    const client = there.startPush('main');
    let heard = '';
    client.stderr?.setEncoding('utf8').on('data', (text: string) => (heard += text));
    const ended = once(client, 'close');
    await until(() => heard.includes('remote: compiling'), 'the first line is heard');
    expect(heard).not.toContain('built');
    writeFileSync(join(there.repository, 'go'), '');
    expect(await ended).toEqual([0, null]);
    expect(heard).toContain('remote: built');
  });

  test.each([
    ['main, where there is one', ['zoo', 'main', 'master'], 'main'],
    ['master, where there is no main', ['zoo', 'master'], 'master'],
    ['else the first pushed', ['beta', 'zoo'], 'beta'],
  ])('let HEAD of a new repository name %s, before the operator hears of it', async (_, branches, expected) => {
    const there = await open({ 'post-receive': 'echo "deploying $GITMOUTH_BRANCH, HEAD is $(cat HEAD)"' });
    for (const branch of branches) await there.git('branch', branch);
    const { stderr } = await there.push(...branches);
    expect(there.head()).toBe(`ref: refs/heads/${expected}`);
    expect(stderr).toContain(`remote: deploying ${expected}, HEAD is ref: refs/heads/${expected}`);
    expect(stderr).not.toContain('not touch');
  });

  test('leave HEAD alone when it names a branch that was there before, and when nothing but a tag came', async () => {
    const there = await open();
    await there.git('tag', 'v1');
    await there.push('v1');
    expect(there.head()).toBe('ref: refs/heads/main');
    await there.git('branch', 'develop');
    await there.push('develop');
    expect(there.head()).toBe('ref: refs/heads/develop');
    await there.push('main');
    expect(there.head()).toBe('ref: refs/heads/develop');
  });

  test('say that a push does not touch the deployed branch, and how to deploy', async () => {
    const there = await open(undefined, { GITMOUTH_APP: 'shop', GITMOUTH_BRANCH: 'main' });
    await there.git('branch', 'topic');
    const { code, stderr } = await there.push('topic');
    expect(code).toBe(0);
    expect(stderr).toContain(
      "remote:  !     This push does not touch 'main', the branch of 'shop' that is deployed: nothing was deployed.",
    );
    expect(stderr).toContain('git push <remote> HEAD:main');
    expect((await there.push('main', '--force', 'topic:other')).stderr).not.toContain('not touch');
  });
}

test('each hook of gitmouth is executable, and the file they share is none', () => {
  for (const name of ['pre-receive', 'update', 'post-receive', 'post-update', 'reference-transaction'])
    expect([name, isExecutable(name)]).toEqual([name, true]);
  expect(isExecutable('run-operator-hook')).toBe(false);
});

function isExecutable(name: string): boolean {
  return (statSync(join(HOOKS_FOLDER, name)).mode & 0o111) === 0o111;
}
