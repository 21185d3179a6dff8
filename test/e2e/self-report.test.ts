/** What the door says of itself to who asks, by the OpenSSH of Debian 12 and that of Debian 13. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, execute, type Person, type Result } from '../support/door.js';
import { HOLDING, holdingHooks, letGo, pushing } from '../support/held-pushes.js';
import { needs, NEWER_SSH } from '../support/programs.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');
const { test: withNewer } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'newer-ssh');

const VERSION = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
const HYBRID = 'mlkem768x25519-sha256';

describe('ssh git@host whoami and doctor', () => {
  const door = new Door({ GITMOUTH_HOOKS: holdingHooks(), GITMOUTH_PENALTY_MIN_SECONDS: '1' });
  let alice: Person;
  let bob: Person;
  let fingerprint: string;

  beforeAll(async () => {
    await door.start();
    alice = await door.person('alice');
    bob = await door.person('bob');
    fingerprint = (await execute('ssh-keygen', ['-lf', alice.publicKeyFile])).stdout.split(' ')[1] ?? '';
    await door.cli('app', 'create', 'shop', '--owner', 'alice');
    await door.cli('app', 'create', 'secret', '--owner', 'bob');
  });

  afterAll(() => door.stop());

  function ask(person: Person, ssh: string, options: readonly string[], question: string): Promise<Result> {
    const args = [...person.sshOptions, ...options, ...person.target, question];
    return execute(ssh, args, { env: { HOME: person.home } });
  }

  /** The values by their names; of several the last. */
  function facts({ stdout }: Result): Record<string, string> {
    const rows = stdout.split('\n').filter((line) => /^[a-z]/.test(line));
    return Object.fromEntries(rows.map((line) => [line.slice(0, 14).trim(), line.slice(14)]));
  }

  test('whoami names the user, the key, the address and the apps, and no dyno is asked for', async () => {
    const result = await ask(alice, 'ssh', [], 'whoami');
    expect(result).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        'user          alice',
        `key           ${fingerprint} ssh-ed25519`,
        'address       127.0.0.1',
        'app           shop write',
        '',
      ].join('\n'),
    });
    const ended = (await door.sessions(1)).at(-1);
    expect(ended).toMatchObject({ verdict: 'answered-whoami', exit: 0, user: 'alice', phasesMs: {} });
  });

  test('doctor tells an OpenSSH without post-quantum key exchange so', async () => {
    const result = await ask(alice, 'ssh', ['-o', 'KexAlgorithms=curve25519-sha256'], 'doctor');
    expect(result.code).toBe(0);
    expect(facts(result)).toMatchObject({
      user: 'alice',
      'login name': 'git',
      client: expect.stringMatching(/^OpenSSH_/),
      server: `gitmouth ${VERSION}`,
      'key exchange': expect.stringMatching(/^curve25519-sha256 \(not post-quantum, (?:not )?strict\)$/),
      'host key': 'ssh-ed25519',
    });
    expect(result.stdout).toContain(' !     Whoever records your traffic today may read it one day:');
  });

  test('doctor names the cipher and the host key that were agreed on', async () => {
    const options = ['-o', 'Ciphers=aes192-ctr', '-o', 'HostKeyAlgorithms=rsa-sha2-512'];
    expect(facts(await ask(alice, 'ssh', options, 'doctor'))).toMatchObject({
      cipher: 'aes192-ctr',
      'host key': 'rsa-sha2-512',
    });
  });

  withNewer('doctor finds nothing wrong with OpenSSH 10', async () => {
    const result = await ask(alice, NEWER_SSH, [], 'doctor');
    expect(facts(result)['key exchange']).toBe(`${HYBRID} (post-quantum, strict)`);
    expect(result.stdout).toMatch(/\n\nNothing stands in your way\.\n$/);
    expect(result.code).toBe(0);
  });

  withNewer('doctor sees that OpenSSH 10 was told to leave it out', async () => {
    const { stdout } = await ask(alice, NEWER_SSH, ['-o', 'KexAlgorithms=curve25519-sha256'], 'doctor');
    expect(stdout).toContain(`Your client has ${HYBRID}: do not leave it out of KexAlgorithms`);
  });

  test('doctor shows who holds the push lock of an app, to those who may push to it', async () => {
    const folder = await alice.repository();
    const push = pushing(alice, folder, 'shop');
    await push.line(HOLDING);
    const lock = facts(await ask(alice, 'ssh', [], 'doctor'))['lock'];
    const ofBob = await ask(bob, 'ssh', [], 'doctor');
    letGo(door, 'shop');
    expect((await push.ended()).code).toBe(0);
    expect(lock).toMatch(/^shop held by a push of alice since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, session s-/);
    expect(facts(ofBob)).toMatchObject({ app: 'secret write' });
    expect(facts(ofBob)['lock']).toBeUndefined();
    expect(facts(await ask(alice, 'ssh', [], 'doctor'))['lock']).toBeUndefined();
  });

  test('doctor says what is refused now, and never how much is left of a limit', async () => {
    const folder = await bob.repository();
    for (let tries = 0; tries < 40; tries += 1) {
      const { stderr } = await bob.git(folder, 'ls-remote', bob.url(`nobodys-${tries}`));
      if (stderr.includes('has to pause')) break;
    }
    const { code, stdout } = await ask(bob, 'ssh', [], 'doctor');
    expect(stdout).toMatch(/ !     (?:This key|Your account) has to pause: too many requests named apps/);
    expect(code).toBe(1);
    expect((await ask(bob, 'ssh', [], 'whoami')).code).toBe(0);
  });

  test('nothing may follow a question', async () => {
    const { code, stdout, stderr } = await ask(alice, 'ssh', [], 'doctor --all');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain("'doctor --all' is not a command of this door.");
  });
});
