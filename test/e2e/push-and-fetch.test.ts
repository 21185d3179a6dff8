/** What people do with git every day, against the built program. */
import { readFileSync, writeFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, execute, type Person } from '../support/door.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const MIB = 1024 ** 2;
const LARGE_BYTES = (process.env['GITMOUTH_SOAK'] === '1' ? 300 : 64) * MIB;
const LARGE_LIMIT_MS = 600_000;

describe('git against the door', () => {
  let door: Door;
  let alice: Person;

  beforeAll(async () => {
    door = new Door();
    await door.start();
    alice = await door.person('alice');
  });

  afterAll(() => door.stop());

  /** A repository that was pushed to an app of this name, with the app as its `origin`. */
  async function pushed(app: string): Promise<string> {
    const work = await alice.repository();
    await alice.must(work, 'remote', 'add', 'origin', alice.url(app));
    await alice.must(work, 'push', '--quiet', '--set-upstream', 'origin', 'main');
    return work;
  }

  async function cloned(app: string, ...options: string[]): Promise<string> {
    const folder = join(temporaryFolder('clone'), 'it');
    await alice.must('/', 'clone', '--quiet', ...options, alice.url(app), folder);
    return folder;
  }

  async function remoteRefs(app: string): Promise<string[]> {
    const listed = await alice.must('/', 'ls-remote', alice.url(app));
    return listed.split('\n').map((line) => line.split('\t')[1] ?? '');
  }

  async function head(folder: string, ref = 'HEAD'): Promise<string> {
    return alice.must(folder, 'rev-parse', ref);
  }

  test('what was pushed is what is cloned, and later what is fetched', async () => {
    const work = await pushed('daily');
    const clone = await cloned('daily');
    expect(readFileSync(join(clone, 'README.md'), 'utf8')).toBe('hello\n');
    expect(await head(clone)).toBe(await head(work));
    expect(await alice.must(clone, 'branch', '--show-current')).toBe('main');
    await alice.commit(work, { 'README.md': 'hello again\n' });
    await alice.must(work, 'push', '--quiet');
    await alice.must(clone, 'fetch', '--quiet');
    expect(await head(clone, 'origin/main')).toBe(await head(work));
  });

  test('a push with nothing new says so', async () => {
    const work = await pushed('nothing-new');
    expect(await alice.git(work, 'push')).toMatchObject({ code: 0, stderr: 'Everything up-to-date\n' });
    expect(await door.session({ app: 'nothing-new' })).toMatchObject({ service: 'git-receive-pack', exit: 0 });
  });

  test('rewritten history is refused, and taken with --force', async () => {
    const work = await pushed('rewritten');
    const old = await head(work);
    await alice.must(work, 'commit', '--quiet', '--amend', '--message', 'better words');
    const refused = await alice.git(work, 'push');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('! [rejected]        main -> main (non-fast-forward)');
    const lease = ['--force-with-lease=main:0123456789012345678901234567890123456789'];
    expect((await alice.git(work, 'push', ...lease)).stderr).toContain('(stale info)');
    const forced = await alice.git(work, 'push', '--force');
    expect(forced).toMatchObject({ code: 0, stderr: expect.stringContaining('main -> main (forced update)') });
    expect(await head(work)).not.toBe(old);
    expect(await door.inRepository('rewritten', 'rev-parse', 'main')).toBe(await head(work));
  });

  test('of an atomic push all refs move, or none when the server refuses one', async () => {
    const work = await pushed('atomic');
    const both = await alice.git(work, 'push', '--atomic', 'origin', 'main:one', 'main:two');
    expect(both.code).toBe(0);
    // The deployed branch can't be deleted: the server says no to that one ref.
    const refused = await alice.git(work, 'push', '--atomic', 'origin', 'main:three', ':main');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('main -> three (atomic push failure)');
    expect(await remoteRefs('atomic')).toEqual(['HEAD', 'refs/heads/main', 'refs/heads/one', 'refs/heads/two']);
    const halves = await alice.git(work, 'push', 'origin', 'main:three', ':main');
    expect(halves.code).toBe(1);
    expect(await remoteRefs('atomic')).toContain('refs/heads/three');
  });

  test('branches can be deleted, but not the deployed one', async () => {
    const work = await pushed('deleting');
    await alice.must(work, 'push', '--quiet', 'origin', 'main:topic');
    const deleted = await alice.git(work, 'push', 'origin', '--delete', 'topic');
    expect(deleted).toMatchObject({ code: 0, stderr: expect.stringContaining('- [deleted]         topic') });
    const refused = await alice.git(work, 'push', 'origin', '--delete', 'main');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('deletion of the current branch') });
    expect(await remoteRefs('deleting')).toEqual(['HEAD', 'refs/heads/main']);
  });

  test('tags go with the push that follows them, and can be deleted', async () => {
    const work = await pushed('tagged');
    await alice.must(work, 'tag', '--annotate', 'v1', '--message', 'the first');
    await alice.must(work, 'tag', 'light');
    await alice.commit(work, { more: 'of it' });
    await alice.must(work, 'push', '--quiet', '--follow-tags');
    expect(await remoteRefs('tagged')).toEqual(['HEAD', 'refs/heads/main', 'refs/tags/v1', 'refs/tags/v1^{}']);
    await alice.must(work, 'push', '--quiet', '--tags');
    expect(await alice.must(await cloned('tagged'), 'tag', '--list')).toBe('light\nv1');
    await alice.must(work, 'push', '--quiet', 'origin', ':refs/tags/light');
    expect(await remoteRefs('tagged')).not.toContain('refs/tags/light');
  });

  test('a mirror brings every ref, and takes away what is gone', async () => {
    const work = await alice.repository();
    await alice.must(work, 'branch', 'topic');
    await alice.must(work, 'tag', 'v1');
    await alice.must(work, 'notes', 'add', '--message', 'noted');
    await alice.must(work, 'push', '--quiet', '--mirror', alice.url('mirror'));
    const local = ['for-each-ref', '--format=%(objectname) %(refname)'];
    expect(await door.inRepository('mirror', ...local)).toBe(await alice.must(work, ...local));
    await alice.must(work, 'branch', '--delete', 'topic');
    await alice.must(work, 'push', '--quiet', '--mirror', alice.url('mirror'));
    expect(await remoteRefs('mirror')).toEqual(['HEAD', 'refs/heads/main', 'refs/notes/commits', 'refs/tags/v1']);
  });

  test('ls-remote lists refs, by pattern too, and what HEAD stands for', async () => {
    const work = await pushed('listed');
    await alice.must(work, 'push', '--quiet', 'origin', 'main:topic');
    const id = await head(work);
    expect(await alice.must('/', 'ls-remote', '--heads', alice.url('listed'), 'top*')).toBe(`${id}\trefs/heads/topic`);
    expect(await alice.must('/', 'ls-remote', '--symref', alice.url('listed'), 'HEAD')).toBe(
      `ref: refs/heads/main\tHEAD\n${id}\tHEAD`,
    );
  });

  test('a shallow clone is shallow, and can be deepened', async () => {
    const work = await pushed('shallow');
    for (const text of ['two', 'three', 'four']) await alice.commit(work, { 'README.md': text });
    await alice.must(work, 'push', '--quiet');
    const clone = await cloned('shallow', '--depth=1');
    const count = () => alice.must(clone, 'rev-list', '--count', 'HEAD');
    expect(await count()).toBe('1');
    await alice.must(clone, 'fetch', '--quiet', '--deepen=2');
    expect(await count()).toBe('3');
    await alice.must(clone, 'fetch', '--quiet', '--unshallow');
    expect(await count()).toBe('4');
  });

  test('a shallow clone can push', async () => {
    const work = await pushed('from-shallow');
    for (const text of ['two', 'three']) await alice.commit(work, { 'README.md': text });
    await alice.must(work, 'push', '--quiet');
    const clone = await cloned('from-shallow', '--depth=1');
    await alice.must(clone, 'config', 'user.name', 'alice');
    await alice.must(clone, 'config', 'user.email', 'alice@example.com');
    await alice.commit(clone, { 'README.md': 'four' });
    await alice.must(clone, 'push', '--quiet');
    expect(await door.inRepository('from-shallow', 'rev-list', '--count', 'main')).toBe('4');
  });

  test.each([0, 2])(
    'a partial clone lacks the files, and fetches one when it is read (protocol %i)',
    async (version) => {
      const app = `partial-${version}`;
      const work = await pushed(app);
      await alice.commit(work, { large: 'x'.repeat(10_000) });
      await alice.must(work, 'push', '--quiet');
      const protocol = ['-c', `protocol.version=${version}`];
      const clone = await cloned(app, ...protocol, '--filter=blob:none', '--no-checkout');
      const missing = async () =>
        (await alice.must(clone, 'rev-list', '--objects', '--missing=print', 'HEAD')).match(/^\?/gm);
      expect(await missing()).toHaveLength(2);
      expect(await alice.must(clone, ...protocol, 'show', 'HEAD:large')).toBe('x'.repeat(10_000));
      expect(await missing()).toHaveLength(1);
      expect(await door.session({ app, protocol: version })).toMatchObject({ service: 'git-upload-pack', exit: 0 });
    },
  );

  const sizeMib = LARGE_BYTES / MIB;
  test(
    `${sizeMib} MiB of random data come back as they went`,
    async () => {
      const work = await alice.repository();
      const part = Buffer.alloc(LARGE_BYTES / 4);
      for (const name of ['one', 'two', 'three', 'four']) writeFileSync(join(work, name), randomFillSync(part));
      await alice.commit(work, {});
      const clone = join(temporaryFolder('clone'), 'it');
      const patiently = { cwd: work, env: alice.environment, limitMs: LARGE_LIMIT_MS };
      expect(await execute('git', ['push', '--quiet', alice.url('large'), 'main'], patiently)).toMatchObject({
        code: 0,
      });
      expect(await execute('git', ['clone', '--quiet', alice.url('large'), clone], patiently)).toMatchObject({
        code: 0,
      });
      expect(await head(clone, 'HEAD^{tree}')).toBe(await head(work, 'HEAD^{tree}'));
      expect(await alice.must(clone, 'status', '--porcelain')).toBe('');
      const sent = await door.session({ app: 'large', service: 'git-receive-pack' });
      const got = await door.session({ app: 'large', service: 'git-upload-pack' });
      expect(sent.bytesIn).toBeGreaterThan(LARGE_BYTES);
      expect(got.bytesOut).toBeGreaterThan(LARGE_BYTES);
    },
    LARGE_LIMIT_MS,
  );
});
