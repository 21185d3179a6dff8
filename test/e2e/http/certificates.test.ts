/** A platform that names the authorities, and says who is there: its users log in by certificates. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import { UserAuthority } from '../../support/certificates.js';
import { execute, until, type Person } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { Running } from '../../support/running.js';
import { FAULT_WORDS, openPlace, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl', 'sshd');

let place: Place;
let authority: UserAuthority;
/** With a key that the platform does not know. */
let laptop: Person;

beforeAll(async () => {
  place = await openPlace({ GITMOUTH_USER_CA: 'platform', GITMOUTH_PENALTIES: 'off' });
  authority = await UserAuthority.make();
  await place.person('alice');
  place.platform.createApp('shop', 'alice');
  laptop = await place.door.person('laptop', { isStranger: true });
});

afterAll(() => place.close());

async function withCertificate(...names: readonly string[]) {
  const file = await authority.sign(laptop, '-I', 'alice@laptop', '-z', '7', ...names);
  return [...laptop.sshOptions, '-o', `CertificateFile=${file}`];
}

function greeting(options: readonly string[]) {
  return execute('ssh', [...options, '-T', ...laptop.target], { env: { HOME: laptop.home } });
}

/** Has the door ask for the authorities, and waits for the answer. */
async function nameAuthorities(...lines: readonly string[]): Promise<void> {
  const { api } = place.platform;
  const asked = () => api.calls.filter(({ operation }) => operation === 'listAuthorities').length;
  const before = asked();
  api.people.authorities = lines.map((line) => line.split(' ').slice(0, 2).join(' '));
  place.door.signal('SIGHUP');
  await until(
    () => asked() > before,
    20_000,
    () => `they are not asked for: ${place.door.said}`,
  );
}

describe('a user of a platform that names authorities', () => {
  test('logs in and pushes by a certificate; the platform sees whose it is in each question', async () => {
    const { api } = place.platform;
    const options = await withCertificate('-n', 'alice');
    expect(await greeting(options)).toMatchObject({ code: 255 });
    await nameAuthorities(authority.line);
    const work = await laptop.repository();
    const env = { ...laptop.environment, GIT_SSH_COMMAND: ['ssh', ...options].join(' ') };
    const push = await execute('git', ['push', laptop.url('shop'), 'main'], { cwd: work, env });
    expect(push).toMatchObject({ code: 0 });
    const certificate = {
      key_id: 'alice@laptop',
      serial: '7',
      principals: ['alice'],
      authority: await authority.fingerprint(),
      valid_after: expect.any(Number),
      valid_before: null,
    };
    for (const operation of ['findUser', 'authorize', 'openSession']) {
      const last = api.calls.findLast((call) => call.operation === operation);
      expect([operation, last?.body]).toEqual([operation, expect.objectContaining({ user: 'alice', certificate })]);
    }
    expect(api.violations).toEqual([]);
  });

  test('is one whom the platform knows: of another it says so', async () => {
    const { code, stderr } = await greeting(await withCertificate('-n', 'mallory'));
    expect(code).toBe(255);
    expect(stderr).toContain("Your certificate is for the user 'mallory', and there is none of that name here.");
  });

  test('is in trouble, and no stranger, while the platform is away', async () => {
    const options = await withCertificate('-n', 'alice', '-z', '8');
    await place.platform.api.stop();
    try {
      const { code, stderr } = await greeting(options);
      expect(code).toBe(255);
      expect(stderr).toContain(FAULT_WORDS);
      expect(stderr).not.toContain('Permission denied');
    } finally {
      await place.platform.api.restart();
    }
  });

  test('loses the connection when the platform names their authority no more', async () => {
    const other = await UserAuthority.make();
    const options = await withCertificate('-n', 'alice');
    await nameAuthorities(authority.line, other.line);
    const command = [...options, ...laptop.target, "git-receive-pack 'shop'"];
    const open = new Running('ssh', command, { env: { HOME: laptop.home } });
    try {
      await until(
        () => open.stdout.includes('report-status'),
        20_000,
        () => `it is not open: ${open.stderr}`,
      );
      await nameAuthorities(other.line);
      expect((await open.ended()).stderr).toContain('Your key or certificate does not count here any more.');
      expect(await greeting(options)).toMatchObject({ code: 255, stderr: expect.not.stringContaining('certificate') });
    } finally {
      await open.kill();
    }
  });
});
