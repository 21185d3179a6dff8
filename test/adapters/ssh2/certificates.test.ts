/** OpenSSH's own certificates reach the gateway as a proof, and are refused there without harm to their keys. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect } from '@jest/globals';
import type { Certificate } from '../../../src/domain/certificate.js';
import { execute } from '../../support/door.js';
import { needs, NEWER_SSH } from '../../support/programs.js';
import { openGround, type Ground } from './ground.js';
import { generateKey, openssh, type KeyFile } from './openssh.js';

let ground: Ground;

beforeEach(async () => {
  ground = await openGround();
});

afterEach(() => ground.close());

/** A key with a certificate of it beside it. */
async function certified(
  type: readonly string[],
  ...options: readonly string[]
): Promise<{ key: KeyFile; ca: KeyFile }> {
  const [key, ca] = [await generateKey(...type), await generateKey('-t', 'ed25519')];
  const signing = ['-q', '-s', ca.path, '-I', 'olivia@laptop', '-n', 'olivia', ...options, `${key.path}.pub`];
  const signed = await execute('ssh-keygen', signing);
  if (signed.code !== 0) throw new Error(signed.stderr);
  return { key, ca };
}

const RSA = ['-t', 'rsa', '-b', '2048'];

describe.each([
  { name: 'OpenSSH', program: 'ssh', needed: [] },
  { name: 'OpenSSH 10', program: NEWER_SSH, needed: ['newer-ssh'] },
] as const)('$name', ({ program, needed }) => {
  const { test: withSsh } = needs('ssh', 'ssh-keygen', ...needed);

  withSsh.each([
    { what: 'an Ed25519 key', type: ['-t', 'ed25519'], algorithm: 'ssh-ed25519' },
    { what: 'an ECDSA key', type: ['-t', 'ecdsa', '-b', '384'], algorithm: 'ecdsa-sha2-nistp384' },
    { what: 'an RSA key by SHA-512', type: RSA, algorithm: 'rsa-sha2-512' },
    { what: 'an RSA key by SHA-256', type: RSA, algorithm: 'rsa-sha2-256' },
  ])('proves $what by its certificate, where that names somebody', async ({ type, algorithm }) => {
    const { key, ca } = await certified(type, '-z', '7');
    ground.gateway.platform.register('olivia', key.publicKey);
    const shown: Certificate[] = [];
    ground.gateway.certified = (certificate) => {
      shown.push(certificate);
      return { name: 'olivia' };
    };
    const options = ['-o', `PubkeyAcceptedAlgorithms=${algorithm}-cert-v01@openssh.com`];
    const { code, stdout, stderr } = await openssh(ground, key.path, { ssh: program, options });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n`, stderr: '' });
    const facts = { serial: 7n, keyId: 'olivia@laptop', principals: ['olivia'] };
    // As it was offered, and as it was proven: it is judged at each moment.
    expect(shown).toMatchObject([facts, facts]);
    expect(shown[0]?.authority.sha256).toBe(ca.fingerprint);
    expect(ground.gateway.requests[0]?.caller.certificate).toEqual(shown[0]);
  });

  withSsh('with a certificate that is nobody’s goes on to its key, which logs in', async () => {
    const { key } = await certified(['-t', 'ed25519']);
    ground.gateway.platform.register('olivia', key.publicKey);
    const options = ['-o', `CertificateFile=${key.path}-cert.pub`];
    const { code, stdout } = await openssh(ground, key.path, { ssh: program, options });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `olivia ${key.fingerprint}\n` });
    expect(ground.gateway.requests[0]?.caller).not.toHaveProperty('certificate');
    expect(ground.observer.ofType('login-failed')).toEqual([]);
    expect(ground.gateway.lookups).toHaveLength(2);
  });

  withSsh('with a certificate alone is refused, though its key is registered', async () => {
    const { key } = await certified(['-t', 'ed25519']);
    ground.gateway.platform.register('olivia', key.publicKey);
    expect(readFileSync(`${key.path}-cert.pub`, 'utf8')).toContain('ssh-ed25519-cert-v01@openssh.com');
    const options = ['-o', 'PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com'];
    const { code, stderr } = await openssh(ground, key.path, { ssh: program, options });
    expect({ code, refused: stderr.includes('Permission denied (publickey)') }).toEqual({ code: 255, refused: true });
    expect(ground.gateway.lookups).toEqual([key.fingerprint]);
  });
});
