/** SIGHUP to the server: what is written anew holds for what begins then, as a whole or not at all. */
import { chmodSync, cpSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { Door, execute, PROGRAM, until, type Person } from '../support/door.js';
import { HELD, HeldBuilds } from '../support/held-builds.js';
import { HeldFile } from '../support/held-file.js';
import { descendantsOf, isRoot, runningProcesses } from '../support/machine.js';
import { needs } from '../support/programs.js';
import { dynoUserOfItsOwn } from '../support/remains.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'script');

let builds: HeldBuilds;
let file: string;
let door: Door;
let ada: Person;
let push: Running | undefined;
let waiting: Running | undefined;
let dynoUser: number;

beforeEach(async () => {
  builds = new HeldBuilds();
  file = join(temporaryFolder('config'), 'gitmouth.conf');
  dynoUser = dynoUserOfItsOwn();
  settings({ GITMOUTH_DYNO_MEMORY_MIB: '1024' });
  door = new Door({ GITMOUTH_CONFIG: file });
  await door.start();
  ada = await door.person('ada');
});

afterEach(async () => {
  builds.release();
  await push?.kill();
  await waiting?.kill();
  push = waiting = undefined;
  await door.stop();
});

function settings(values: Record<string, string>): void {
  const all = { GITMOUTH_HOOKS: builds.folder, GITMOUTH_DYNO_USER: String(dynoUser), ...values };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, `# settings of a test\n${lines.join('')}`);
}

/** What is said of a reload that changes nothing. */
async function notReloaded(): Promise<string> {
  const count = door.events('problem').length;
  door.signal('SIGHUP');
  await until(
    () => door.events('problem').length > count,
    20_000,
    () => `no problem was told of:\n${door.said}${door.log}`,
  );
  return String(door.events('problem').at(-1)?.['message']);
}

/** What people are told comes by another way than the log, and perhaps after it. */
async function said(words: RegExp): Promise<void> {
  await until(
    () => words.test(door.said),
    20_000,
    () => `${String(words)} was not said:\n${door.said}`,
  );
}

/** What a hook says of the dyno that a push of this person gets now. */
async function dynoOf(person: Person): Promise<string> {
  const app = `free-${performance.now().toFixed(0)}`;
  const { code, stderr } = await person.git(await person.repository(), 'push', person.url(app), 'main');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return /^remote: (memory .*?)\s*$/m.exec(stderr)?.[1] ?? stderr;
}

async function shownHostKey(): Promise<string> {
  const { stdout } = await execute('ssh-keyscan', ['-t', 'rsa', '-p', String(door.port), '127.0.0.1']);
  return /ssh-rsa (\S+)/.exec(stdout)?.[1] ?? stdout;
}

/** A server as somebody starts it in a window, and what it runs as. */
async function inWindow(): Promise<{ readonly window: Running; readonly server: number }> {
  const data = join(temporaryFolder('window'), 'data');
  cpSync(join(door.data, 'host-keys'), join(data, 'host-keys'), { recursive: true });
  const env = { HOME: temporaryFolder('home'), GITMOUTH_DATA: data, GITMOUTH_LISTEN: '127.0.0.1:0' };
  const window = new Running('script', ['-qfc', `exec ${process.execPath} ${PROGRAM} serve`, '/dev/null'], { env });
  await until(
    () => window.stdout.includes('gitmouth listens on'),
    20_000,
    () => `it does not listen: ${window.stdout}${window.stderr}`,
  );
  const server = descendantsOf(window.pid).find(({ command }) => /main\.js serve/.test(command))?.pid;
  if (server === undefined) throw new Error('the server is not there');
  return { window, server };
}

const ownNetwork = () => readlinkSync('/proc/self/ns/net');

describe('a reload', () => {
  test('gives new connections the new host key and limits and new dynos the new sandbox, while a push goes on by the old', async () => {
    push = await builds.push(ada, await ada.repository());
    expect(push.stderr).toContain(`memory ${1024 * 1024},`);
    expect(push.stderr).not.toContain(ownNetwork());
    const before = await shownHostKey();

    const keyFile = join(door.data, 'host-keys', 'ssh_host_rsa_key');
    await execute('ssh-keygen', ['-q', '-t', 'rsa', '-b', '3072', '-N', '', '-f', `${keyFile}.new`]);
    renameSync(`${keyFile}.new`, keyFile);
    settings({
      GITMOUTH_DYNO_MEMORY_MIB: '512',
      GITMOUTH_DYNO_NETWORK: 'on',
      GITMOUTH_MAX_PACK_MIB: '7',
      GITMOUTH_CONNECTIONS_PER_USER: '1',
      GITMOUTH_HEALTH_LISTEN: '127.0.0.1:0',
    });
    expect(await door.reload()).toMatchObject({
      changed: [
        ...['GITMOUTH_DYNO_NETWORK', 'GITMOUTH_DYNO_MEMORY_MIB', 'GITMOUTH_MAX_PACK_MIB'],
        'GITMOUTH_CONNECTIONS_PER_USER',
      ],
      needRestart: ['GITMOUTH_HEALTH_LISTEN'],
    });
    await said(/SIGHUP: reloaded; changed: .*\n {2}Needs a restart: GITMOUTH_HEALTH_LISTEN\./);

    const after = await shownHostKey();
    expect(after).not.toBe(before);
    expect(after.length).toBeGreaterThan(300);
    const more = await ada.ssh(['-T']);
    expect(more.stderr).toContain('as many connections open here as one user may');
    const dyno = await dynoOf(await door.person('bob'));
    expect(dyno).toBe(`memory ${512 * 1024}, net ${ownNetwork()}, pack ${7 * 1024 ** 2}`);

    builds.release();
    const { code, stderr } = await push.ended();
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('the build ends') });
    // Concluded by those who have made it.
    expect(await door.app(HELD)).toMatchObject({ branch: 'main' });
  });

  test('that can not be changes nothing, and says why: a bad file, a key that others can read, a sandbox without its hooks', async () => {
    const key = await shownHostKey();
    settings({ GITMOUTH_DYNO_MEMORY_MIB: '512', GITMOUTH_DYNO_NETWORK: 'yes', GITMOUTH_DYNOZ: '1' });
    const bad = await notReloaded();
    expect(bad).toContain(`GITMOUTH_DYNO_NETWORK must be on or off; it is 'yes' (in ${file})`);
    expect(bad).toContain(`GITMOUTH_DYNOZ is not a setting of gitmouth: check its name (in ${file})`);
    await said(/SIGHUP: nothing was changed\. The configuration, with/);

    settings({ GITMOUTH_DYNO_MEMORY_MIB: '512' });
    const keyFile = join(door.data, 'host-keys', 'ssh_host_ed25519_key');
    chmodSync(keyFile, 0o644);
    expect(await notReloaded()).toContain(keyFile);
    chmodSync(keyFile, 0o600);

    settings({ GITMOUTH_DYNO_MEMORY_MIB: '512', GITMOUTH_HOOKS: `${builds.folder}-gone` });
    expect(await notReloaded()).toContain(`GITMOUTH_HOOKS is ${builds.folder}-gone, and there is no such folder`);

    rmSync(file);
    expect(await notReloaded()).toContain(`${file} can't be read`);

    expect(door.events('config-reloaded')).toEqual([]);
    expect(await shownHostKey()).toBe(key);
    expect(await dynoOf(ada)).toMatch(`memory ${1024 * 1024},`);
  });
});

describe('a reload of the rules', () => {
  test('gives new pushes the new mode of the lock and the new rules for new apps, while those that wait keep theirs', async () => {
    const work = await ada.repository();
    push = await builds.push(ada, work);
    waiting = new Running('git', ['push', ada.url(HELD), 'main:more'], { cwd: work, env: ada.environment });
    await waiting.line('Waiting for');

    settings({ GITMOUTH_PUSH_LOCK: 'refuse', GITMOUTH_APPS_PER_USER: '1' });
    const changed = ['GITMOUTH_DYNO_MEMORY_MIB', 'GITMOUTH_APPS_PER_USER', 'GITMOUTH_PUSH_LOCK'];
    expect(await door.reload()).toMatchObject({ changed, needRestart: [] });
    const refused = await ada.git(work, 'push', ada.url(HELD), 'main:third');
    expect(refused).toMatchObject({
      code: 128,
      stderr: expect.stringContaining(`Another push to '${HELD}' is running`),
    });
    const tooMany = await ada.git(work, 'push', ada.url('second'), 'main');
    expect(tooMany).toMatchObject({
      code: 128,
      stderr: expect.stringContaining("all you may; 'second' was not created"),
    });
    settings({ GITMOUTH_CREATE_ON_PUSH: 'off' });
    await door.reload();
    const notMade = await ada.git(work, 'push', ada.url('second'), 'main');
    expect(notMade).toMatchObject({ code: 128, stderr: expect.stringContaining("'second'") });
    expect(notMade.stderr).not.toContain('all you may');

    builds.release();
    const codes = [await push.ended(), await waiting.ended()].map(({ code }) => code);
    expect(codes).toEqual([0, 0]);
  });

  test('frees whoever was put on the exempt list, and holds them to what they did when they are off it', async () => {
    const rules = { GITMOUTH_PENALTY_NO_LOGIN_SECONDS: '60', GITMOUTH_PENALTY_NO_ACCESS_SECONDS: '60' };
    const stranger = await door.person('mallory', { isStranger: true });
    const heldTo = async (): Promise<{ address: boolean; key: boolean }> => {
      const count = door.events('connection-closed').length;
      await stranger.ssh([]);
      const { stderr } = await ada.git('/', 'ls-remote', ada.url('of-others'));
      expect(stderr).toMatch(/has to pause|of-others/);
      await until(
        () => door.events('connection-closed').length >= count + 2,
        20_000,
        () => `they do not end: ${door.log}`,
      );
      const ofStranger = door.events('connection-closed').findLast(({ user }) => user === undefined);
      return { address: ofStranger?.['restrictedUntil'] !== undefined, key: stderr.includes('has to pause') };
    };
    settings(rules);
    await door.reload();
    await heldTo();
    expect(await heldTo()).toEqual({ address: true, key: true });
    settings({ ...rules, GITMOUTH_PENALTY_EXEMPT: '127.0.0.0/8' });
    expect(await door.reload()).toMatchObject({ changed: ['GITMOUTH_PENALTY_EXEMPT'] });
    expect(await heldTo()).toEqual({ address: false, key: false });
    settings(rules);
    await door.reload();
    expect(await heldTo()).toEqual({ address: true, key: true });
  });

  const testAsRoot = isRoot ? test : test.skip;
  testAsRoot('runs new dynos as another user, once the repositories are theirs', async () => {
    await dynoOf(ada);
    const other = dynoUserOfItsOwn();
    settings({ GITMOUTH_DYNO_USER: String(other) });
    expect(await notReloaded()).toMatch(/GITMOUTH_DYNO_USER is \d+:\d+, and \S+\.git belongs to another user/);
    expect(door.events('config-reloaded')).toEqual([]);
    await execute('chown', ['-R', `${other}:${other}`, join(door.data, 'repositories')]);
    await door.reload();
    const work = await ada.repository();
    await ada.must(work, 'push', '--quiet', ada.url('later'), 'main');
    expect(statSync(door.repository('later')).uid).toBe(other);
  });
});

test('a second SIGHUP during a reload is followed by another one', async () => {
  const held = new HeldFile(file);
  door.signal('SIGHUP');
  await held.read();
  door.signal('SIGHUP');
  const written = (seconds: number) => `GITMOUTH_HOOKS=${builds.folder}\nGITMOUTH_DRAIN_SECONDS=${seconds}\n`;
  held.release(written(7), written(8));
  await until(
    () => door.events('config-reloaded').length === 2,
    20_000,
    () => `no second reload:\n${door.said}${door.log}`,
  );
  expect(door.events('config-reloaded')[1]).toMatchObject({ changed: ['GITMOUTH_DRAIN_SECONDS'] });
});

describe('a server in a window', () => {
  test('reloads when it is told to, and stops when the window is closed', async () => {
    const { window, server } = await inWindow();
    try {
      process.kill(server, 'SIGHUP');
      await until(
        () => window.stdout.includes('SIGHUP: reloaded; no setting has changed.'),
        20_000,
        () => `it does not reload: ${window.stdout}`,
      );
    } finally {
      await window.kill();
    }
    await until(
      () => runningProcesses().every(({ pid }) => pid !== server),
      20_000,
      () => 'it goes on without its window',
    );
  });
});
