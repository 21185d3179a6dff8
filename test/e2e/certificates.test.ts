/** Users who log in by certificates that ssh-keygen made, and everything that is wrong with one. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Agent } from '../support/agent.js';
import { fingerprintOf, UserAuthority } from '../support/certificates.js';
import { Door, execute, until, type Person, type Result } from '../support/door.js';
import { needs, NEWER_SSH } from '../support/programs.js';
import { Running } from '../support/running.js';
import { FLAGS, makeSecurityKey } from '../support/security-key.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'ssh-agent', 'bwrap');
const { test: withNewer } = needs('git', 'ssh', 'ssh-keygen', 'ssh-agent', 'bwrap', 'newer-ssh');

const NAMED = ['-I', 'alice@laptop', '-n', 'alice', '-z', '7'];

let door: Door;
let authority: UserAuthority;
let authorities: string;
let revoked: string;
/** Of alice, with a key that is registered nowhere. */
let laptop: Person;

beforeAll(async () => {
  const folder = temporaryFolder('trust');
  [authorities, revoked] = [join(folder, 'user_ca.pub'), join(folder, 'revoked')];
  authority = await UserAuthority.make();
  writeFileSync(authorities, `# ours\n${authority.line}\n`);
  writeFileSync(revoked, '');
  door = new Door({ GITMOUTH_USER_CA: authorities, GITMOUTH_REVOKED: revoked, GITMOUTH_PENALTIES: 'off' });
  await door.start();
  await door.person('alice');
  laptop = await door.person('laptop', { isStranger: true });
});

afterAll(() => door.stop());

interface How {
  readonly login?: string;
  readonly program?: string;
  readonly options?: readonly string[];
  readonly command?: readonly string[];
}

/** A certificate of ours for alice, with more options of ssh-keygen. */
function certificate(...options: readonly string[]): Promise<string> {
  return authority.sign(laptop, ...NAMED, ...options);
}

function shown(file: string, person = laptop): readonly string[] {
  return [...person.sshOptions, '-o', `CertificateFile=${file}`];
}

/** What a client gets that shows this certificate, and its key. */
function knock(
  file: string,
  { login = 'git', program = 'ssh', options = [], command = [] }: How = {},
): Promise<Result> {
  const target = ['-p', String(door.port), '-T', `${login}@127.0.0.1`, ...command];
  return execute(program, [...shown(file), ...options, ...target], { env: { HOME: laptop.home } });
}

/** The latest log line of a log-in that failed, once the connection has ended. */
async function failure(attempt: () => Promise<Result>) {
  const count = door.events('login-failed').length;
  const result = await attempt();
  await until(
    () => door.events('login-failed').length > count,
    20_000,
    () => `no failed log-in: ${door.log}${result.stderr}`,
  );
  return { ...result, reason: door.events('login-failed').at(-1)?.['reason'] };
}

describe('a certificate in force', () => {
  test('logs in whom it names, by a key that is registered nowhere: to push, and to be greeted by its facts', async () => {
    const file = await certificate('-V', '-5m:+1h');
    const env = { ...laptop.environment, GIT_SSH_COMMAND: ['ssh', ...shown(file)].join(' ') };
    const work = await laptop.repository();
    const push = await execute('git', ['push', laptop.url('shop'), 'main'], { cwd: work, env });
    expect(push).toMatchObject({ code: 0 });
    expect(await door.app('shop')).toMatchObject({ owner: 'alice' });
    expect(await door.session({ app: 'shop' })).toMatchObject({
      user: 'alice',
      fingerprint: await fingerprintOf(laptop.publicKeyFile),
      exit: 0,
    });
    const ca = await authority.fingerprint();
    const greeted = await knock(file);
    expect(greeted.code).toBe(1);
    expect(greeted.stderr).toMatch(
      /^Hi alice! You have been recognised by the certificate 'alice@laptop' \(serial 7, by SHA256:\S+, valid until \d{4}-.* UTC\) of the key SHA256:/m,
    );
    expect(greeted.stderr).toContain(`by ${ca}, valid`);
    expect(door.events('login-succeeded').at(-1)).toMatchObject({
      user: 'alice',
      login: 'git',
      fingerprint: await fingerprintOf(laptop.publicKeyFile),
      certificate: { keyId: 'alice@laptop', serial: '7', authority: ca, validBefore: expect.any(Number) },
    });
  });

  test.each(['ecdsa', 'rsa'] as const)('logs in by a key of the type %s, too', async (type) => {
    const person = await door.person(type, { isStranger: true, type });
    const file = await authority.sign(person, ...NAMED);
    const greeted = await execute('ssh', [...shown(file, person), '-T', ...person.target], {
      env: { HOME: person.home },
    });
    expect(greeted.stderr).toContain('Hi alice!');
    expect(greeted.stderr).toContain('valid for ever)');
  });

  withNewer('logs in by OpenSSH 10, too', async () => {
    expect((await knock(await certificate(), { program: NEWER_SSH })).stderr).toContain('Hi alice!');
  });

  test('with several principals logs in the one that is the login name', async () => {
    await door.person('bob');
    const file = await authority.sign(laptop, '-I', 'shared', '-n', 'alice,bob,nobody');
    expect((await knock(file, { login: 'bob' })).stderr).toContain('Hi bob!');
    expect((await knock(file, { login: 'alice' })).stderr).toContain('Hi alice!');
    expect(await failure(() => knock(file))).toMatchObject({
      code: 255,
      reason: 'certificate-wrong-principal',
      stderr: expect.stringContaining("Your certificate is for 'alice', 'bob', 'nobody', and you log in as 'git'."),
    });
  });

  test('serves its one command alone, where it has one', async () => {
    const file = await certificate('-O', "force-command=git-upload-pack 'shop'");
    const served = await knock(file, { command: ["git-upload-pack '/shop.git'"], options: ['-n'] });
    expect(served.stdout).toContain('refs/heads/main');
    for (const command of [["git-receive-pack 'shop'"], ["git-upload-pack 'blog'"], []]) {
      const refused = await knock(file, { command });
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toContain("Your certificate is for one command alone: 'git-upload-pack 'shop''.");
    }
  });

  test('of a security key demands its PIN or a fingerprint, where it says so', async () => {
    const key = makeSecurityKey();
    let flags: number = FLAGS.PRESENT;
    const agent = await Agent.start({ ...key, sign: (data) => key.sign(data, { flags }) });
    try {
      const publicKeyFile = join(temporaryFolder('sk'), 'id.pub');
      writeFileSync(publicKeyFile, `${key.line}\n`);
      const file = await authority.sign({ publicKeyFile }, ...NAMED, '-O', 'verify-required');
      // The first value of an option counts.
      const asked = ['-o', `IdentityAgent=${agent.path}`, '-i', publicKeyFile, ...shown(file), '-T', ...laptop.target];
      const visit = () => execute('ssh', asked, { env: { HOME: laptop.home } });
      expect(await failure(visit)).toMatchObject({ code: 255, reason: 'user-not-verified' });
      flags = FLAGS.PRESENT_AND_VERIFIED;
      expect((await visit()).stderr).toContain('Hi alice! You have been recognised by the certificate');
    } finally {
      await agent.stop();
    }
  });

  test('is good from where it may be used', async () => {
    const file = await certificate('-O', 'source-address=192.0.2.0/24,127.0.0.0/8');
    expect((await knock(file)).stderr).toContain('Hi alice!');
  });
});

describe('refused, in the log and with words, is', () => {
  test.each<[string, () => Promise<string>, string, string]>([
    [
      'an expired one',
      () => certificate('-V', '20200101:20200102'),
      'expired',
      'Your certificate expired at 2020-01-0',
    ],
    ['one for later', () => certificate('-V', '20990101:20990102'), 'not-yet-valid', 'is not valid before 20'],
    [
      'one for another user',
      () => authority.sign(laptop, '-I', 'x', '-n', 'mallory'),
      'unknown-user',
      "for the user 'mallory', and there is none",
    ],
    [
      'one with a critical option that is unknown',
      () => certificate('-O', 'critical:foo@bar=1'),
      'unknown-option',
      "has the critical option 'foo@bar'",
    ],
    [
      'one for other addresses',
      () => certificate('-O', 'source-address=192.0.2.0/24'),
      'wrong-address',
      'may not be used from your address, 127.0.0.1.',
    ],
    ['one for everybody', () => authority.sign(laptop, '-I', 'everybody'), 'no-principals', 'names no principal'],
    [
      'one that needs verification of a key that can not verify',
      () => certificate('-O', 'verify-required'),
      '',
      'must ask for its PIN',
    ],
  ])('%s', async (_, made, reason, words) => {
    const file = await made();
    const refused = await failure(() => knock(file));
    expect(refused).toMatchObject({ code: 255, reason: reason === '' ? 'user-not-verified' : `certificate-${reason}` });
    expect(refused.stderr).toContain(words);
    expect(refused.stderr).toContain('Permission denied (publickey)');
  });

  test('one of another authority: like an unknown key, and its key still works where it is registered', async () => {
    const other = await UserAuthority.make();
    const refused = await failure(async () => knock(await other.sign(laptop, ...NAMED)));
    expect(refused).toMatchObject({ code: 255, reason: 'no-login' });
    expect(refused.stderr).not.toContain('certificate');
    const carol = await door.person('carol');
    const file = await other.sign(carol, ...NAMED);
    const greeted = await execute('ssh', [...shown(file, carol), '-T', ...carol.target], { env: { HOME: carol.home } });
    expect(greeted.stderr).toContain('Hi carol! You have been recognised by the key SHA256:');
  });

  test('one whose authority signs by SHA-1', async () => {
    const old = await UserAuthority.make('-t', 'rsa', '-b', '2048');
    const line = `${authority.line}\n${old.line}\n`;
    writeFileSync(authorities, line);
    await door.reload();
    const options = ['-o', 'CASignatureAlgorithms=+ssh-rsa'];
    const sound = await old.sign(laptop, ...NAMED, '-t', 'rsa-sha2-256');
    expect((await knock(sound, { options })).stderr).toContain('Hi alice!');
    const refused = await failure(async () => knock(await old.sign(laptop, ...NAMED, '-t', 'ssh-rsa'), { options }));
    expect(refused).toMatchObject({ code: 255 });
    writeFileSync(authorities, `${authority.line}\n`);
    await door.reload();
    expect(await failure(() => knock(sound, { options }))).toMatchObject({ code: 255, reason: 'no-login' });
  });

  // By an agent, since ssh shows none of these from a file.
  test('one for a host, even of the name of a user', async () => {
    const socket = join(temporaryFolder('agent'), 's');
    const host = await door.person('host', { isStranger: true });
    await execute('ssh-keygen', ['-q', '-s', authority.keyFile, '-h', ...NAMED, host.publicKeyFile]);
    const agent = new Running('ssh-agent', ['-D', '-a', socket]);
    try {
      await until(
        () => existsSync(socket),
        20_000,
        () => `no agent: ${agent.stdout}${agent.stderr}`,
      );
      const added = await execute('ssh-add', ['-q', host.keyFile], { env: { HOME: host.home, SSH_AUTH_SOCK: socket } });
      expect(added).toMatchObject({ code: 0 });
      // Of options that are there twice the first counts.
      const options = ['-o', `IdentityAgent=${socket}`, '-o', 'IdentitiesOnly=no', ...host.sshOptions];
      const refused = await failure(() =>
        execute('ssh', [...options, '-T', ...host.target], { env: { HOME: host.home } }),
      );
      expect(refused).toMatchObject({ code: 255, reason: 'certificate-not-for-users' });
      expect(refused.stderr).toContain('Your certificate is for a host, and not for a user.');
    } finally {
      await agent.kill();
    }
  });
});

describe('revoked, by a file that is read again at SIGHUP, is', () => {
  test.each<[string, () => Promise<string>]>([
    ['a serial', async () => 'serial: 5-9\n'],
    ['a key id', async () => 'id: alice@laptop\n'],
    ['the fingerprint of the key', async () => `sha256: ${await fingerprintOf(laptop.publicKeyFile)}\n`],
    ['a serial of this authority', async () => `ca: ${await authority.fingerprint()}\nserial: 7\n`],
  ])('%s', async (_, line) => {
    const file = await certificate();
    writeFileSync(revoked, await line());
    expect(await door.reload()).toMatchObject({ changed: ['GITMOUTH_REVOKED'], needRestart: [] });
    const refused = await failure(() => knock(file));
    expect(refused).toMatchObject({ code: 255 });
    expect(refused.reason).toMatch(/^(?:certificate-revoked|key-revoked)$/);
    expect(refused.stderr).toContain('Your certificate was revoked.');
    writeFileSync(revoked, 'serial: 8\n');
    await door.reload();
    expect((await knock(file)).stderr).toContain('Hi alice!');
  });

  test('also a connection that is open, and a plain key; a bad file changes nothing', async () => {
    const dora = await door.person('dora');
    const file = await certificate();
    const waiting = (options: readonly string[], person: Person) =>
      new Running('ssh', [...options, ...person.target, `git-receive-pack 'of-${person.name}'`], {
        env: { HOME: person.home },
      });
    const open = [waiting(shown(file), laptop), waiting(dora.sshOptions, dora)] as const;
    try {
      await until(
        () => open.every(({ stdout }) => stdout.includes('capabilities^{}') || stdout.length > 100),
        20_000,
        () => `they are not open: ${open.map(({ stdout, stderr }) => stdout + stderr).join('')}`,
      );
      writeFileSync(revoked, 'serial: 7\nnonsense\n');
      door.signal('SIGHUP');
      await until(
        () => door.said.includes('nothing was changed'),
        20_000,
        () => door.said,
      );
      expect(door.said).toContain(`GITMOUTH_REVOKED: ${revoked}, line 2: this is not a public key`);
      expect(open.map(({ hasEnded }) => hasEnded)).toEqual([false, false]);
      writeFileSync(revoked, `serial: 7\nsha256: ${await fingerprintOf(dora.publicKeyFile)}\n`);
      await door.reload();
      for (const one of open) {
        const { code, stderr } = await one.ended();
        expect(code).not.toBe(0);
        expect(stderr).toContain('Your key or certificate does not count here any more.');
      }
      expect(await door.session({ user: 'dora' })).toMatchObject({ verdict: 'ended-key-revoked' });
      const refused = await failure(() => dora.ssh(['-T']));
      expect(refused).toMatchObject({ code: 255, reason: 'key-revoked' });
      expect(refused.stderr).toContain('This key was revoked.');
    } finally {
      for (const one of open) await one.kill();
      writeFileSync(revoked, '');
      await door.reload();
    }
  });
});
