/** What becomes of a certificate that is known and refused: words, a log line, and room for the keys that follow. */
import { afterEach, beforeEach, expect } from '@jest/globals';
import type { Refusal } from '../../../src/domain/refusal.js';
import { execute } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { openGround, type Ground } from './ground.js';
import { generateKey, openssh, type KeyFile } from './openssh.js';

const { describe, test } = needs('ssh', 'ssh-keygen');

const EXPIRED: Refusal = { kind: 'certificate', problem: { kind: 'expired', since: Date.UTC(2026, 10, 24) } };
const WORDS = 'Your certificate expired at 2026-11-24 00:00:00 UTC.\n';

let ground: Ground;
let key: KeyFile;

beforeEach(async () => {
  ground = await openGround();
  const ca = await generateKey('-t', 'ed25519');
  key = await generateKey('-t', 'ed25519');
  const signing = ['-q', '-s', ca.path, '-I', 'olivia@laptop', '-n', 'olivia', `${key.path}.pub`];
  expect(await execute('ssh-keygen', signing)).toMatchObject({ code: 0 });
});

afterEach(() => ground.close());

const ALONE = ['-o', 'PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com'];

function reasons() {
  return ground.observer.ofType('login-failed').map(({ reason, fingerprint }) => ({ reason, fingerprint }));
}

describe('a certificate that is refused', () => {
  test('when it is offered: is told why, and so is the log, once', async () => {
    ground.gateway.certified = () => EXPIRED;
    const { code, stderr } = await openssh(ground, key.path, { options: ALONE });
    expect(code).toBe(255);
    expect(stderr.split(WORDS)).toHaveLength(2);
    expect(stderr).toContain('Permission denied (publickey)');
    expect(reasons()).toEqual([{ reason: 'certificate-expired', fingerprint: key.fingerprint }]);
  });

  test('by one that nobody trusts: is told nothing', async () => {
    const { code, stderr } = await openssh(ground, key.path, { options: ALONE });
    expect(code).toBe(255);
    expect(stderr).not.toMatch(/certificate|not \(or no longer\) registered/);
    expect(reasons()).toEqual([{ reason: 'no-login', fingerprint: key.fingerprint }]);
  });

  test('and whose key is unknown, too: has its own reason in the log all the same', async () => {
    ground.gateway.certified = () => EXPIRED;
    const { code } = await openssh(ground, key.path, { options: ['-o', `CertificateFile=${key.path}-cert.pub`] });
    expect(code).toBe(255);
    expect(ground.gateway.lookups).toHaveLength(2);
    expect(reasons()).toEqual([{ reason: 'certificate-expired', fingerprint: key.fingerprint }]);
  });

  test('and whose key is registered: logs in by the key, and has read why not by the certificate', async () => {
    ground.gateway.platform.register('olivia', key.publicKey);
    ground.gateway.certified = () => EXPIRED;
    const options = ['-o', `CertificateFile=${key.path}-cert.pub`];
    const { code, stdout, stderr } = await openssh(ground, key.path, { options });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n` });
    expect(stderr).toContain(WORDS);
    expect(reasons()).toEqual([]);
    expect(ground.gateway.requests[0]?.caller).not.toHaveProperty('certificate');
  });

  test('between its offer and its proof: is judged anew, and does not log in', async () => {
    let asked = 0;
    ground.gateway.certified = () => ((asked += 1) === 1 ? { name: 'olivia' } : EXPIRED);
    const { code, stderr } = await openssh(ground, key.path, { options: ALONE });
    expect(code).toBe(255);
    expect(asked).toBe(2);
    expect(stderr).toContain(WORDS);
    expect(reasons()).toEqual([{ reason: 'certificate-expired', fingerprint: key.fingerprint }]);
    expect(ground.gateway.requests).toEqual([]);
  });
});

test('who logs in by a certificate is in the log with it', async () => {
  ground.gateway.certified = () => ({ name: 'olivia' });
  await openssh(ground, key.path, { options: ALONE });
  const [first] = ground.observer.ofType('login-succeeded');
  expect(first).toMatchObject({ user: 'olivia', fingerprint: key.fingerprint });
  expect(first?.certificate).toEqual({
    keyId: 'olivia@laptop',
    serial: '0',
    authority: expect.stringMatching(/^SHA256:/),
  });
});
