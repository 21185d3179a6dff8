/** The versions of git's wire protocol, and the service beside fetch and push: archives. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, execute, type Person, type Result } from '../support/door.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');

let door: Door;
let alice: Person;
let work: string;

async function open(): Promise<void> {
  door = new Door();
  await door.start();
  alice = await door.person('alice');
  work = await alice.repository({ 'README.md': 'hello\n' });
  await alice.must(work, 'push', '--quiet', alice.url('app'), 'main');
}

describe('protocol version', () => {
  beforeAll(open);
  afterAll(() => door.stop());

  /** Git under this protocol version, and the versions the server announced to it. */
  async function traced(version: number, ...args: string[]): Promise<{ result: Result; announced: string[] }> {
    const trace = join(temporaryFolder('trace'), 'packets');
    const env = { ...alice.environment, GIT_TRACE_PACKET: trace };
    const result = await execute('git', ['-c', `protocol.version=${version}`, ...args], { cwd: work, env });
    const packets = existsSync(trace) ? readFileSync(trace, 'utf8') : '';
    return { result, announced: [...packets.matchAll(/< (version \d)$/gm)].map(([, words = '']) => words) };
  }

  test.each([
    [0, []],
    [1, ['version 1']],
    [2, ['version 2']],
  ])('%i is spoken to those who clone with it', async (version, announced) => {
    const clone = join(temporaryFolder('clone'), 'it');
    const traffic = await traced(version, 'clone', '--quiet', alice.url('app'), clone);
    expect(traffic).toMatchObject({ result: { code: 0 }, announced });
    expect(readFileSync(join(clone, 'README.md'), 'utf8')).toBe('hello\n');
    expect(await door.session({ service: 'git-upload-pack', protocol: version })).toMatchObject({ exit: 0 });
  });

  // Pushes have no version 2: git asks for 0 in its place.
  test.each([
    [0, 0, []],
    [1, 1, ['version 1']],
    [2, 0, []],
  ])('%i is taken for a push as version %i', async (version, spoken, announced) => {
    const app = `pushed-${version}`;
    const traffic = await traced(version, 'push', '--quiet', alice.url(app), 'main');
    expect(traffic).toMatchObject({ result: { code: 0 }, announced });
    expect(await door.session({ app })).toMatchObject({ service: 'git-receive-pack', protocol: spoken, exit: 0 });
  });
});

describe('git archive --remote', () => {
  beforeAll(open);
  afterAll(() => door.stop());

  function archive(): Promise<Result> {
    return alice.git(work, 'archive', '--format=tar', `--remote=${alice.url('app')}`, 'main');
  }

  test('is off until the operator allows it for the app, and says so', async () => {
    const refused = await archive();
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(" !     'app' does not give out archives.\n");
    expect(refused.stderr).toContain('ask an operator to allow archives of it.');
    expect(await door.session({ service: 'git-upload-archive' })).toMatchObject({ verdict: 'refused-archive-off' });

    expect((await door.cli('app', 'set', 'app', '--archive', 'on')).code).toBe(0);
    const file = join(temporaryFolder('archive'), 'app.tar');
    await alice.must(work, 'archive', `--output=${file}`, `--remote=${alice.url('app')}`, 'main');
    const { stdout } = await execute('tar', ['-xOf', file, 'README.md']);
    expect(stdout).toBe('hello\n');

    expect((await door.cli('app', 'set', 'app', '--archive', 'off')).code).toBe(0);
    expect((await archive()).stderr).toContain('does not give out archives');
  });

  test('gives nothing to those who may not read the app', async () => {
    const bob = await door.person('bob');
    const args = ['archive', `--remote=${alice.url('app')}`, 'main'];
    const { code, stdout, stderr } = await bob.git(work, ...args);
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(" !     You may not take an archive of 'app', or there is no such app.\n");
  });
});
