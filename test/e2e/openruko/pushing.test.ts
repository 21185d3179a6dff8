/** Real git and real OpenSSH through the built program to an Openruko installation, as its users meet it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { execute, until, type Person } from '../../support/door.js';
import { Master } from '../../support/master.js';
import { needs } from '../../support/programs.js';
import { expectSound, refOf } from '../../support/remains.js';
import type { Running } from '../../support/running.js';
import { temporaryFolder } from '../../support/temporary.js';
import { md5OfKeyFile } from '../../support/openruko/installation.js';
import { expectNoSecrets, FAULT_WORDS, openPlace, pushing, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl');

const GATE = 'until [ -e "$GIT_DIR/open" ]; do sleep 0.05; done';
/** The API server gives up after five seconds here, and after ten in the original. */
const PATIENCE = { pollMs: 100, polls: 50 };
const WATCH_MS = 30_000;
const MIB = 1024 ** 2;

let place: Place;
let alice: Person;
let bob: Person;

/** Dora's key is removed at once, as what follows takes its time. */
let dora: Person;
let idle: Master;
let running: Running;

describe('an Openruko installation behind gitmouth', () => {
  beforeAll(async () => {
    place = await openPlace({ api: PATIENCE });
    alice = await place.person('alice', '1');
    bob = await place.person('bob', '2');
    dora = await place.person('dora', '4');
    place.openruko.createApp('doras', '4');
    place.openruko.hook('doras', 'pre-receive', 'echo "the hook begins"', GATE);
    idle = await Master.open(dora);
    running = pushing(dora, await dora.repository(), 'doras');
    await running.line('the hook begins');
    place.openruko.api.removeKey('4', md5OfKeyFile(dora.publicKeyFile));
  });

  afterAll(async () => {
    await idle.close();
    await running.kill();
    await place.close();
  });

  /** An app of alice's with something in it. */
  async function appOf(app: string): Promise<string> {
    place.openruko.createApp(app, '1');
    const work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url(app), 'main');
    return work;
  }

  test('lets a key that was removed just now begin nothing more, over an open connection neither', async () => {
    const { code, stderr } = await idle.git('.', 'ls-remote', dora.url('doras'));
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining('no longer) registered here') });
    expect(await place.door.session({ user: '4', service: 'git-upload-pack' })).toMatchObject({ exit: 1 });
  });

  test('takes a push, with what the build says, and gives a clone that is the same', async () => {
    place.openruko.createApp('shop', '1');
    place.openruko.hook('shop', 'pre-receive', 'echo "-----> Node.js app detected"', 'echo "a warning" >&2');
    const work = await alice.repository({ 'server.js': 'serve()\n' });
    const pushed = await alice.git(work, 'push', alice.url('shop'), 'main');
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('remote: -----> Node.js app detected') });
    expect(pushed.stderr).toContain('remote: a warning');
    const clones = temporaryFolder('clones');
    await alice.must(clones, 'clone', '--quiet', alice.url('shop'), 'it');
    expect(await alice.must(join(clones, 'it'), 'rev-parse', 'HEAD')).toBe(await alice.must(work, 'rev-parse', 'main'));
    await expectSound(place.openruko.repository('shop'));
    const session = await place.door.session({ app: 'shop', service: 'git-receive-pack' });
    // The API server tells no other name of a user than their number.
    expect(session).toMatchObject({ user: '1', verdict: 'exit-0', exit: 0 });
  });

  test('tells of a refusal by a hook, and moves nothing', async () => {
    const work = await appOf('strict');
    const before = await refOf(place.openruko.repository('strict'), 'refs/heads/main');
    place.openruko.hook('strict', 'pre-receive', 'echo "no room for this"', 'exit 1');
    await alice.commit(work, { 'README.md': 'changed\n' });
    const pushed = await alice.git(work, 'push', alice.url('strict'), 'main');
    expect(pushed).toMatchObject({ code: 1, stderr: expect.stringContaining('remote: no room for this') });
    expect(pushed.stderr).toContain('pre-receive hook declined');
    expect(await refOf(place.openruko.repository('strict'), 'refs/heads/main')).toBe(before);
  });

  test("carries packs that are full of the dyno host's own words", async () => {
    place.openruko.createApp('words', '1');
    const plain = ['-c', 'core.compression=0', '-c', 'pack.compression=0'];
    await execute('git', ['-C', place.openruko.repository('words'), 'config', 'pack.compression', '0']);
    const work = await alice.repository();
    const words = { 'short.txt': 'E:'.repeat(500_000), 'long.txt': 'Dyno does not exist.'.repeat(50_000) };
    for (const [name, content] of Object.entries(words)) writeFileSync(join(work, name), content);
    await alice.must(work, 'add', '--all');
    await alice.must(work, ...plain, 'commit', '--quiet', '--message', 'words');
    await alice.must(work, ...plain, 'push', '--quiet', alice.url('words'), 'main');
    const clone = join(temporaryFolder('clone'), 'it');
    await alice.must(work, 'clone', '--quiet', alice.url('words'), clone);
    for (const [name, content] of Object.entries(words))
      expect(readFileSync(join(clone, name), 'utf8') === content).toBe(true);
    // As they are, and not in a compressed form in which no word of theirs is left.
    expect((await place.door.session({ app: 'words', service: 'git-upload-pack' })).bytesOut).toBeGreaterThan(MIB);
    expect((await place.door.session({ app: 'words', service: 'git-receive-pack' })).bytesIn).toBeGreaterThan(MIB);
  });

  test('speaks protocol 0 with clients that ask for 2, and they are content', async () => {
    const work = await appOf('old');
    const trace = join(temporaryFolder('trace'), 'packets');
    const clone = join(temporaryFolder('clone'), 'it');
    const { code } = await execute('git', ['-c', 'protocol.version=2', 'clone', '--quiet', alice.url('old'), clone], {
      env: { ...alice.environment, GIT_TRACE_PACKET: trace },
    });
    expect(code).toBe(0);
    expect(existsSync(trace) ? readFileSync(trace, 'utf8') : '').not.toMatch(/< version \d/);
    expect(await alice.must(clone, 'rev-parse', 'HEAD')).toBe(await alice.must(work, 'rev-parse', 'main'));
  });

  test("refuses others' apps and apps that are not there in the same words, and starts no dyno for them", async () => {
    await appOf('private');
    const work = await bob.repository();
    const said: string[] = [];
    for (const app of ['private', 'nowhere']) {
      for (const args of [
        ['push', bob.url(app), 'main'],
        ['ls-remote', bob.url(app)],
      ]) {
        const { code, stderr } = await bob.git(work, ...args);
        expect(code).toBe(128);
        said.push(stderr.replaceAll(app, '<app>').replace(/Session \S+/, ''));
      }
    }
    expect(said[0]).toContain(" !     You may not push to '<app>', or there is no such app.");
    expect([said[2], said[3]]).toEqual([said[0], said[1]]);
    const { calls } = place.openruko.api;
    expect(calls.filter(({ route, about }) => route === 'gitaction' && about === 'nowhere')).toEqual([]);
    // Alice's own push alone had a dyno.
    expect(calls.filter(({ route, about }) => route === 'gitaction' && about === 'private')).toHaveLength(1);
    expect(await place.door.session({ app: 'private', user: '2' })).toMatchObject({ exit: 1 });
  });

  test('lets in a collaborator, and nobody whose key it does not know', async () => {
    const work = await appOf('shared');
    place.openruko.api.addCollaborator('shared', '2');
    expect(await bob.git(work, 'push', bob.url('shared'), 'main:bobs')).toMatchObject({ code: 0 });
    const stranger = await place.door.person('stranger', { isStranger: true });
    const { code, stderr } = await stranger.git(work, 'ls-remote', stranger.url('shared'));
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining('Permission denied (publickey)') });
    expect(stderr).not.toContain(FAULT_WORDS);
  });

  test('greets a user, gives out no archive, and says so', async () => {
    await appOf('archived');
    expect((await alice.ssh(['-T'])).stderr).toContain('Hi 1! You have been recognised by the key SHA256:');
    const { code, stderr } = await alice.git('.', 'archive', `--remote=${alice.url('archived')}`, 'main');
    expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining('Archives are not given out here') });
    expect(stderr).not.toContain('gitmouth app set');
  });

  test('lets two pushes to one app take turns', async () => {
    const work = await appOf('turns');
    place.openruko.hook('turns', 'pre-receive', 'echo "the hook begins"', GATE);
    await alice.commit(work, { 'README.md': 'first\n' });
    const first = pushing(alice, work, 'turns');
    const others = await alice.repository();
    try {
      await first.line('the hook begins');
      const second = pushing(alice, others, 'turns', 'main:other');
      try {
        await second.line("Waiting for another push to 'turns' (by 1 since ");
        expect(await refOf(place.openruko.repository('turns'), 'refs/heads/other')).toBe('');
        await execute('touch', [join(place.openruko.repository('turns'), 'open')]);
        expect([(await first.ended()).code, (await second.ended()).code]).toEqual([0, 0]);
      } finally {
        await second.kill();
      }
    } finally {
      await first.kill();
    }
    await expectSound(place.openruko.repository('turns'));
  });

  test('tells whoever waits for a dyno so in plain lines, and when none is found that it is a fault', async () => {
    const { withoutRoom } = place.openruko;
    const pushes: Running[] = [];
    for (const app of ['patient', 'hopeless']) {
      const work = await appOf(app);
      await alice.commit(work, { 'README.md': 'more\n' });
      withoutRoom.add(app);
      pushes.push(pushing(alice, work, app));
    }
    const [patient, hopeless] = pushes;
    try {
      await patient?.line(' !     Preparing the place where git runs');
      withoutRoom.delete('patient');
      expect(await patient?.ended()).toMatchObject({ code: 0 });
      await hopeless?.line(FAULT_WORDS);
      expect(await hopeless?.ended()).toMatchObject({ code: 128 });
      // eslint-disable-next-line no-control-regex
      for (const { stderr } of pushes) expect(stderr).not.toMatch(/[\r\x1b\x08]/);
    } finally {
      for (const push of pushes) await push.kill();
    }
    const told = await place.door.session({ app: 'hopeless', verdict: 'fault-GM_UNAVAILABLE' });
    expect(told).toMatchObject({ exit: 127, fault: { stage: 'provision', message: expect.stringContaining('503') } });
  });

  test('ends what a removed key has open', async () => {
    await until(
      () => running.hasEnded && idle.process.hasEnded,
      WATCH_MS + 30_000,
      () => `still open: ${running.stderr}${idle.process.stderr}`,
    );
    expect(running.stderr).toContain(' !     Your key was removed from your account. Your command was ended.\n');
    expect((await running.ended()).code).toBeGreaterThan(0);
    expect((await dora.ssh(['-T'])).stderr).toContain('Permission denied (publickey)');
    expect(await refOf(place.openruko.repository('doras'), 'refs/heads/main')).toBe('');
  });

  test('no key is anywhere in the log, nor in what is said', () => {
    expect(place.openruko.api.calls.length).toBeGreaterThan(20);
    expectNoSecrets(place.door.log, place.openruko);
    expectNoSecrets(place.door.said, place.openruko);
    expect(place.openruko.dynoHost.crashes).toBe(0);
  });
});
