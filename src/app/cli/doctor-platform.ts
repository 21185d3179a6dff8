import { existsSync } from 'node:fs';
import { HttpAuthenticator } from '../../adapters/http/http-authenticator.js';
import { OpenrukoAuthenticator } from '../../adapters/openruko/openruko-authenticator.js';
import { readKeyBlob, readKeyLine } from '../../adapters/ssh2/public-keys.js';
import { isFault } from '../../domain/fault.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Connection } from '../../domain/session.js';
import type { Authenticator } from '../../ports/authenticator.js';
import { readAuthorities } from '../certificate-files.js';
import type { Config } from '../config.js';
import { holdingProcess } from '../hold-process.js';
import { platformWarnings, type HttpPlatformConfig, type OpenrukoConfig } from '../platform-config.js';
import { dynoKey, dynoKeyPath, openPlatformClient } from '../platforms/http.js';
import { openApi } from '../platforms/openruko.js';
import { reasonOf } from '../reason.js';
import type { Finding } from './doctor.js';

/** What the dyno hosts of the original have no way to do, whatever stands in front of them. */
const NOT_IN_OPENRUKO =
  'the original dyno host passes on no signal, tells no exit status, ends no running dyno, and speaks protocol 0 alone ' +
  '(docs/openruko.md says what follows)';

/** A platform elsewhere: whether it answers, and what holds of it whatever it answers. */
export async function examinePlatform(config: Config): Promise<readonly Finding[]> {
  const { platform } = config;
  const warnings = platformWarnings(platform).map((says): Finding => ({ check: 'platform', state: 'warning', says }));
  switch (platform.kind) {
    case 'embedded':
      return [];
    case 'openruko':
      return [
        ...warnings,
        await examineOpenruko(platform),
        { check: 'dyno hosts', state: 'warning', says: NOT_IN_OPENRUKO },
      ];
    case 'http':
      return [
        ...warnings,
        await examineHttp(platform),
        ...(config.certificates.authorities === 'platform' ? [await examineAuthorities(platform)] : []),
        examineDynoKey(config, platform),
      ];
  }
}

async function examineOpenruko(platform: OpenrukoConfig): Promise<Finding> {
  const { protocol, host, port } = platform.api;
  const api = openApi(platform);
  try {
    const address = `${protocol}://${host}:${port}`;
    return await holdingProcess(() => askForNobody(new OpenrukoAuthenticator(api), address));
  } finally {
    api.close();
  }
}

async function examineHttp(platform: HttpPlatformConfig): Promise<Finding> {
  const client = openPlatformClient(platform);
  try {
    return await holdingProcess(() => askForNobody(new HttpAuthenticator(client), platform.api.url));
  } finally {
    client.close();
  }
}

/** Whom the platform trusts to name its users. */
async function examineAuthorities(platform: HttpPlatformConfig): Promise<Finding> {
  const check = 'authorities';
  const client = openPlatformClient(platform);
  try {
    const lines = await holdingProcess(() => client.listAuthorities(new AbortController().signal));
    const { value, problems } = readAuthorities(lines.join('\n'), readKeyLine);
    if (lines.length === 0) {
      return { check, state: 'warning', says: 'the platform names none: nobody logs in by a certificate' };
    }
    if (problems.length > 0) return { check, state: 'problem', says: `the platform's list: ${problems.join('; ')}` };
    return { check, state: 'ok', says: value.map(({ sha256 }) => sha256).join(', ') };
  } catch (error) {
    return { check, state: 'problem', says: `the platform names none: ${reasonOf(error)}` };
  } finally {
    client.close();
  }
}

/** Looking makes none. */
function examineDynoKey(config: Config, platform: HttpPlatformConfig): Finding {
  const check = 'dyno key';
  if (!existsSync(dynoKeyPath(config, platform))) {
    return { check, state: 'ok', says: 'none yet; the first start, or gitmouth dynokey show, makes it' };
  }
  try {
    const { publicKey, fingerprint } = dynoKey(config, platform);
    return { check, state: 'ok', says: `${fingerprint}, which every dyno must let in: ${publicKey}` };
  } catch (error) {
    return { check, state: 'problem', says: reasonOf(error) };
  }
}

/** The doctor is no client. */
const NOBODY: Connection = { id: 'doctor', address: '127.0.0.1', port: 0, software: 'gitmouth', login: 'doctor' };

/** Asks who holds a key that nobody has: any answer shows that the platform is there, and takes what it knows us by. */
async function askForNobody(authenticator: Authenticator, address: string): Promise<Finding> {
  const check = 'platform';
  try {
    await authenticator.identify(nobodysKey(), NOBODY, new AbortController().signal);
    return { check, state: 'ok', says: `${address} answers` };
  } catch (error) {
    if (!isFault(error)) throw error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return { check, state: 'problem', says: `${address} can't be used: ${error.message}${cause}` };
  }
}

function nobodysKey(): PublicKey {
  const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  const reading = readKeyBlob(Buffer.concat([part(Buffer.from('ssh-ed25519')), part(Buffer.alloc(32, 7))]));
  if ('problem' in reading) throw new Error(reading.problem);
  return reading.key;
}
