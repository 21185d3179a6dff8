/** Installations as old as the original: what they speak, and the certificate they made for themselves. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { expect } from '@jest/globals';
import { ApiClient } from '../../../src/adapters/openruko/api-client.js';
import { RendezvousTransport } from '../../../src/adapters/openruko/rendezvous-transport.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import { isFault } from '../../../src/domain/fault.js';
import { never, within } from '../../../src/contracts/contract.js';
import { ApiServer, SERVICE_KEY } from '../../support/openruko/api-server.js';
import type { Identity } from '../../support/openruko/certificates.js';
import { DynoHost } from '../../support/openruko/dyno-host.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { LIMITS, outcomeOf, populate } from './asking.js';
import { settingsFor } from './ground.js';

const { test, describe } = needs('openssl');

/** Signed by itself, with nothing but a common name in it, as setup scripts made them. */
function selfSigned(bits: number, digest: string): Identity {
  const folder = temporaryFolder('self-signed');
  const files = ['-keyout', 'key', '-out', 'cert'];
  const kind = ['-newkey', `rsa:${bits}`, `-${digest}`, '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  // Without an extension at all.
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, '-config', '/dev/null'], { cwd: folder, stdio: 'pipe' });
  const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(folder, name), 'utf8'));
  if (key === undefined || cert === undefined) throw new Error('no certificate was made');
  return { key, cert, sha256: new X509Certificate(cert).fingerprint256 };
}

let made: { readonly old: Identity; readonly ancient: Identity } | undefined;

function identities() {
  return (made ??= { old: selfSigned(2048, 'sha256'), ancient: selfSigned(1024, 'sha1') });
}

interface Spoken {
  readonly identity: Identity;
  readonly maxVersion: SecureVersion;
  readonly ciphers: string;
}

/** What a question to such an API server comes to. */
async function asked(spoken: Spoken, trust: TlsTrust): Promise<string> {
  const server = await ApiServer.start(spoken);
  populate(server);
  const client = new ApiClient(
    settingsFor(server.port, { ...LIMITS, host: 'localhost', trust, breaker: { failures: 9, restMs: 1 } }),
  );
  try {
    return await outcomeOf(client, 'lookup');
  } finally {
    client.close();
    await server.stop();
  }
}

/** What a dyno of such a dyno host comes to. */
async function opened(spoken: Spoken, trust: TlsTrust): Promise<string> {
  const host = await DynoHost.start(spoken);
  const settings = { port: host.port, serviceKey: SERVICE_KEY, trust, connectMs: 4_000, firstWordMs: 5_000 };
  const id = host.take(['printf', '0000']);
  try {
    const dyno = { id, link: { kind: 'rendezvous', host: 'localhost', service: 'git-upload-pack' } } as const;
    const session = await within(new RendezvousTransport(settings).open(dyno, never()), 'the dyno to open');
    session.stdout.resume();
    await session.exit;
    await session.close();
    return 'yes';
  } catch (error) {
    if (!isFault(error)) throw error;
    return `fault ${error.code} ${error.stage}`;
  } finally {
    await host.stop();
  }
}

async function expectBoth(spoken: Spoken, trust: TlsTrust, expected: string): Promise<void> {
  const outcome = (stage: string) => (expected === 'yes' ? 'yes' : `fault ${expected} ${stage}`);
  expect(await asked(spoken, trust)).toBe(outcome('identify'));
  expect(await opened(spoken, trust)).toBe(outcome('connect'));
}

describe('an API server and a dyno host that speak', () => {
  // Key exchange by RSA alone, in the newest form and in the oldest that any OpenSSL of today still has.
  for (const ciphers of ['AES256-GCM-SHA384', 'AES128-SHA'])
    test(`TLS 1.2 with ${ciphers} and nothing else are reached by the settings as they are`, async () => {
      const { old } = identities();
      const spoken = { identity: old, maxVersion: 'TLSv1.2', ciphers } as const;
      await expectBoth(spoken, { ca: old.cert, minVersion: 'TLSv1.2', verify: true }, 'yes');
      await expectBoth(spoken, { pinnedSha256: old.sha256, minVersion: 'TLSv1.2', verify: true }, 'yes');
      await expectBoth(spoken, { minVersion: 'TLSv1.2', verify: true }, 'GM_BAD_ANSWER');
    });

  // The second signs what it exchanges, in these versions by MD5 and SHA-1: that takes OpenSSL's lowest security level.
  for (const [maxVersion, ciphers] of [
    ['TLSv1.1', 'AES128-SHA'],
    ['TLSv1.1', 'ECDHE-RSA-AES128-SHA'],
    ['TLSv1', 'AES128-SHA'],
    ['TLSv1', 'ECDHE-RSA-AES128-SHA'],
  ] as const)
    test(`${maxVersion} with ${ciphers} are reached where the lowest version allows it, and not otherwise`, async () => {
      const { old } = identities();
      const spoken = { identity: old, maxVersion, ciphers: `${ciphers}:@SECLEVEL=0` };
      await expectBoth(spoken, { ca: old.cert, minVersion: maxVersion, verify: true }, 'yes');
      await expectBoth(spoken, { ca: old.cert, minVersion: 'TLSv1.2', verify: true }, 'GM_BAD_ANSWER');
    });

  test('TLS 1.0 behind a certificate of 1024 bits, signed with SHA-1, are trusted by their pin', async () => {
    const { ancient, old } = identities();
    const spoken = { identity: ancient, maxVersion: 'TLSv1', ciphers: 'AES128-SHA:@SECLEVEL=0' } as const;
    await expectBoth(spoken, { pinnedSha256: ancient.sha256, minVersion: 'TLSv1', verify: true }, 'yes');
    await expectBoth(spoken, { pinnedSha256: old.sha256, minVersion: 'TLSv1', verify: true }, 'GM_BAD_ANSWER');
  });
});
