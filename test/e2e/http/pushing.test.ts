/** Real git and real OpenSSH through the built program to a platform with an API of its own, and dynos over SSH. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { execute, type Person } from '../../support/door.js';
import { SHARED_SECRET } from '../../support/platform/installation.js';
import { needs } from '../../support/programs.js';
import { expectSound, refOf } from '../../support/remains.js';
import { temporaryFolder } from '../../support/temporary.js';
import { openPlace, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl', 'sshd', 'bwrap');

const DATABASE_URL = 'postgres://app:hunter2@db/shop';

describe('a platform with an API of its own behind gitmouth', () => {
  let place: Place;
  let alice: Person;
  let bob: Person;

  beforeAll(async () => {
    place = await openPlace();
    [alice, bob] = [await place.person('alice'), await place.person('bob')];
  });

  afterAll(async () => {
    await place.close();
    // All that passed between the two was as the document has it.
    expect(place.platform.api.violations).toEqual([]);
    expect(place.platform.api.sessions.held).toEqual([]);
    const told = place.door.log + place.door.said;
    for (const secret of [SHARED_SECRET, DATABASE_URL, 'hunter2']) expect(told).not.toContain(secret);
  });

  /** An app of alice's with something in it. */
  async function appOf(app: string): Promise<string> {
    place.platform.createApp(app, 'alice');
    const work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url(app), 'main');
    return work;
  }

  function words({ stderr }: { stderr: string }): string {
    return stderr.replace(/Session \S+/, '');
  }

  test('takes a push with what the build says, gives it its variables, and a clone over protocol 2 is the same', async () => {
    place.platform.createApp('shop', 'alice');
    place.platform.api.people.grantMore = {
      environment: [
        { name: 'STACK', value: "node '20'", secret: false },
        { name: 'DATABASE_URL', value: DATABASE_URL, secret: true },
      ],
    };
    const says = ['echo "-----> $GITMOUTH_USER builds $GITMOUTH_APP on $STACK"', 'echo "with ${#DATABASE_URL}" >&2'];
    // What is secret is in no command line that another user of the machine could list.
    place.platform.hook('shop', 'pre-receive', ...says, 'ps -Awwo args | grep -c "[h]unter2"; exit 0');
    const work = await alice.repository({ 'server.js': 'serve()\n' });
    const pushed = await alice.git(work, 'push', alice.url('shop'), 'main');
    place.platform.api.people.grantMore = {};
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining("-----> alice builds shop on node '20'") });
    expect(pushed.stderr).toContain(`remote: with ${DATABASE_URL.length}`);
    expect(pushed.stderr).toMatch(/^remote: 0 *$/m);
    const trace = join(temporaryFolder('trace'), 'packets');
    const clone = join(temporaryFolder('clone'), 'it');
    const { code } = await execute('git', ['clone', '--quiet', alice.url('shop'), clone], {
      env: { ...alice.environment, GIT_TRACE_PACKET: trace },
    });
    expect(code).toBe(0);
    expect(readFileSync(trace, 'utf8')).toMatch(/< version 2/);
    expect(await alice.must(clone, 'rev-parse', 'HEAD')).toBe(await alice.must(work, 'rev-parse', 'main'));
    await expectSound(place.platform.repository('shop'));
  });

  test('tells of a refusal by a hook with its own status, and tells the platform how each session ended', async () => {
    const work = await appOf('strict');
    const before = await refOf(place.platform.repository('strict'), 'refs/heads/main');
    place.platform.hook('strict', 'pre-receive', 'echo "no room for this"', 'exit 1');
    await alice.commit(work, { 'README.md': 'changed\n' });
    const pushed = await alice.git(work, 'push', alice.url('strict'), 'main');
    expect(pushed).toMatchObject({ code: 1, stderr: expect.stringContaining('remote: no room for this') });
    expect(await refOf(place.platform.repository('strict'), 'refs/heads/main')).toBe(before);
    const { session, bytesIn, bytesOut, exit } = await place.door.session({
      app: 'strict',
      service: 'git-receive-pack',
    });
    const told = place.platform.api.sessions.endings.filter((ending) => ending.session === session);
    expect(told).toEqual([
      expect.objectContaining({
        outcome: { kind: 'ran', exit_status: exit },
        bytes_in: bytesIn,
        bytes_out: bytesOut,
        phases_ms: expect.objectContaining({ provision: expect.any(Number), run: expect.any(Number) }),
      }),
    ]);
  });

  test("refuses others' apps and apps that are not there in the same words, and opens no session for them", async () => {
    await appOf('private');
    const work = await bob.repository();
    const opened = place.platform.api.callsOf('openSession').length;
    const said: string[] = [];
    for (const app of ['private', 'nowhere']) {
      for (const args of [
        ['push', bob.url(app), 'main'],
        ['ls-remote', bob.url(app)],
      ]) {
        const result = await bob.git(work, ...args);
        expect(result.code).toBe(128);
        said.push(words(result).replaceAll(app, '<app>'));
      }
    }
    expect(said[0]).toContain(" !     You may not push to '<app>', or there is no such app.");
    expect([said[2], said[3]]).toEqual([said[0], said[1]]);
    expect(place.platform.api.callsOf('openSession')).toHaveLength(opened);
  });

  test('lets in nobody whose key it does not know, and says so as a denial', async () => {
    const stranger = await place.door.person('stranger', { isStranger: true });
    const { code, stderr } = await stranger.git('.', 'ls-remote', stranger.url('shop'));
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining('Permission denied (publickey)') });
  });

  test('holds a deploy key to its app and to reading', async () => {
    const work = await appOf('deployed');
    await appOf('other');
    const machine = await place.person('alice-deploy', { apps: ['deployed'], access: 'read' });
    expect(await machine.git(work, 'ls-remote', machine.url('deployed'))).toMatchObject({ code: 0 });
    const pushed = await machine.git(work, 'push', machine.url('deployed'), 'main:more');
    expect(pushed).toMatchObject({ code: 128, stderr: expect.stringContaining('may only read') });
    const others = await Promise.all(
      ['other', 'nowhere'].map(async (app) => {
        const result = await machine.git(work, 'ls-remote', machine.url(app));
        expect(result.code).toBe(128);
        return words(result).replaceAll(app, '<app>');
      }),
    );
    expect(others[0]).toContain("This key is a deploy key, and not one of '<app>'.");
    expect(others[1]).toBe(others[0]);
  });

  test('tells in its own words of a maintenance, of an app that may only be read, and of a new name', async () => {
    const work = await appOf('old-name');
    const { people } = place.platform.api;
    people.maintenance = 'We move house until noon.\n\u001b[2JThen all is as before.';
    const during = await alice.git(work, 'push', alice.url('old-name'), 'main:x');
    people.maintenance = undefined;
    expect(during.code).toBe(128);
    expect(during.stderr).toContain(' !     We move house until noon.\n !     \\u001b[2JThen all is as before.\n');
    expect(await place.door.session({ app: 'old-name', verdict: 'refused-platform' })).toMatchObject({ exit: 1 });
    people.setReadOnly('old-name');
    const archived = await alice.git(work, 'push', alice.url('old-name'), 'main:x');
    expect(archived).toMatchObject({ code: 128, stderr: expect.stringContaining(" !     'old-name' is archived.\n") });
    await execute('cp', ['-r', place.platform.repository('old-name'), place.platform.repository('new-name')]);
    people.rename('old-name', 'new-name');
    const renamed = await alice.git(work, 'ls-remote', alice.url('old-name'));
    expect(renamed.stderr).toContain(" !     'old-name' is called 'new-name' now.\n");
    expect(renamed.stdout).toContain('refs/heads/main');
  });

  test('names apps with their owner, and greets with those a user may use', async () => {
    place.platform.createApp('bob/wiki', 'bob');
    place.platform.api.people.share('bob/wiki', 'alice', 'read');
    const work = await bob.repository();
    expect(await bob.git(work, 'push', bob.url('bob/wiki'), 'main')).toMatchObject({ code: 0 });
    expect((await bob.ssh(['-T'])).stderr).toContain('\nYour apps:\n\n    bob/wiki\n');
    expect((await alice.ssh(['-T'])).stderr).toContain('    bob/wiki (to read)\n');
  });
});
