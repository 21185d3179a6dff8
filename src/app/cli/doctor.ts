import { accessSync, chmodSync, constants, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { hasNativeBinding } from '../../adapters/ssh2/internals.js';
import { HYBRID_NAME } from '../../adapters/ssh2/post-quantum/hybrid.js';
import { ML_KEM_768 } from '../../adapters/ssh2/post-quantum/ml-kem.js';
import { checkInternals } from '../../adapters/ssh2/self-check.js';
import { ConfigError, type Config } from '../config.js';
import { tryAdapters } from '../container.js';
import { dataFolderMode, tryFolder } from '../data-folder.js';
import { chooseSandboxFor } from '../platforms/dynos-here.js';
import { openPlatform } from '../platforms/embedded.js';
import { addressText, isIpv6Only, type ListenAddress } from '../listen-addresses.js';
import { hostKeysNow, hostKeyText } from '../platforms/host-keys.js';
import { listenProblem } from '../listen-problem.js';
import { examineRedis } from '../state/redis.js';
import { examineCertificates } from './doctor-certificates.js';
import { examinePlatform } from './doctor-platform.js';

export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'problem';
  readonly says: string;
}

/** Everything a start needs, looked at without starting. */
export async function examine(config: Config): Promise<readonly Finding[]> {
  const dataFolder = check('data folder', () => examineDataFolder(config));
  const canRead = (await dataFolder).state === 'ok' && existsSync(config.dataFolder);
  const isEmbedded = config.platform.kind === 'embedded';
  const { healthListen } = config;
  const findings = await Promise.all([
    check('configuration', () => 'every setting is understood'),
    check('node', examineNode),
    check('ssh2', () => {
      const problem = checkInternals();
      if (problem !== undefined) throw new Error(problem);
      return 'the version gitmouth fits';
    }),
    checkBinding(),
    check('key exchange', () => `${HYBRID_NAME} first, which is post-quantum; its ML-KEM is by ${ML_KEM_768.by}`),
    dataFolder,
    check('host keys', () => examineHostKeys(config)),
    ...(isEmbedded && canRead ? [check('database', () => examineDatabase(config))] : []),
    ...(isEmbedded ? [checkSandbox(config)] : []),
    checkState(config),
    ...(config.adapters.length > 0 ? [check('adapters', () => examineAdapters(config))] : []),
    ...config.listen.map((address) => check('port', () => examineAddress(address, config.listen))),
    ...(healthListen === undefined
      ? []
      : [check('health', () => examineAddress(healthListen, [healthListen], 'GITMOUTH_HEALTH_LISTEN'))]),
  ]);
  return [...findings, ...examineCertificates(config.certificates), ...(await examinePlatform(config))];
}

async function check(name: string, examination: () => string | Promise<string>): Promise<Finding> {
  try {
    return { check: name, state: 'ok', says: await examination() };
  } catch (error) {
    return { check: name, state: 'problem', says: sentenceOf(error) };
  }
}

/** A finding is one line. */
function sentenceOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join('; ');
  return error instanceof Error ? error.message : String(error);
}

function examineNode(): string {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`Node ${process.versions.node} is too old: install 20.19 or newer`);
  }
  return process.versions.node;
}

async function checkBinding(): Promise<Finding> {
  const name = 'ssh2 native binding';
  if (hasNativeBinding()) return { check: name, state: 'ok', says: 'there: ChaCha20 and GCM are fast' };
  const says = 'missing, so ChaCha20 and GCM are several times slower: install a C++ compiler and run npm rebuild ssh2';
  return Promise.resolve({ check: name, state: 'warning', says });
}

function examineDataFolder({ dataFolder }: Config): string {
  if (!existsSync(dataFolder)) {
    if (isWritable(firstThatExists(dataFolder))) return `${dataFolder} is not there yet; the first start makes it`;
    throw new Error(`${dataFolder} can't be made by this user: make it and give it to them, or set GITMOUTH_DATA`);
  }
  if (!statSync(dataFolder).isDirectory())
    throw new Error(`${dataFolder} is no folder: move it away, or set GITMOUTH_DATA`);
  if (isWritable(dataFolder)) return dataFolder;
  throw new Error(`${dataFolder} can't be written by this user: run as its owner, or change who owns it`);
}

function firstThatExists(folder: string): string {
  return existsSync(folder) ? folder : firstThatExists(dirname(folder));
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    tryFolder(folder);
    return true;
  } catch {
    return false;
  }
}

async function examineHostKeys(config: Config): Promise<string> {
  const keys = await hostKeysNow(config);
  if (keys.length === 0) return 'none yet; the first start makes them';
  return keys.map(hostKeyText).join(', ');
}

function examineDatabase(config: Config): string {
  if (!existsSync(join(config.dataFolder, 'gitmouth.db'))) return 'not there yet; the first start makes it';
  const { platform, db } = openPlatform(config);
  try {
    const users = platform.users.list();
    const needKeys = config.certificates.authorities.length === 0;
    if (users.every((user) => needKeys && user.keys === 0)) {
      const advice = needKeys
        ? 'add a user with a key (gitmouth user add NAME --key FILE)'
        : 'add a user (gitmouth user add NAME)';
      throw new Error(`nobody can log in: ${advice}`);
    }
    return `${users.length} user(s), ${platform.apps.list().length} app(s)`;
  } finally {
    db.close();
  }
}

/** What gitmouths agree on. */
async function checkState({ state }: Config): Promise<Finding> {
  const name = 'state';
  if (state.kind === 'local') {
    return { check: name, state: 'ok', says: 'in the data folder, for the gitmouths of this machine' };
  }
  try {
    const { says, isSound } = await examineRedis(state.url);
    return { check: name, state: isSound ? 'ok' : 'warning', says };
  } catch (error) {
    return { check: name, state: 'problem', says: sentenceOf(error) };
  }
}

async function examineAdapters(config: Config): Promise<string> {
  const brought = [...(await tryAdapters(config))];
  return brought.map(([name, ports]) => `${name} (${ports.join(', ') || 'all bound anew by later ones'})`).join(', ');
}

/** Where there is no data folder yet, in one that passes and lies where it will: looking must not make it. */
async function checkSandbox(config: Config): Promise<Finding> {
  const isThere = existsSync(config.dataFolder);
  const dataFolder = isThere ? config.dataFolder : makePassingFolder(firstThatExists(config.dataFolder));
  try {
    const { sandbox, warning } = await chooseSandboxFor({ ...config, dataFolder });
    const says = warning ?? `${sandbox.name} works, with git in it`;
    return { check: 'sandbox', state: warning === undefined ? 'ok' : 'warning', says };
  } catch (error) {
    return { check: 'sandbox', state: 'problem', says: error instanceof Error ? error.message : String(error) };
  } finally {
    if (!isThere) rmSync(dataFolder, { recursive: true, force: true });
  }
}

function makePassingFolder(parent: string): string {
  const folder = mkdtempSync(join(isWritable(parent) ? parent : tmpdir(), 'gitmouth-doctor-'));
  chmodSync(folder, dataFolderMode());
  return folder;
}

async function examineAddress(
  address: ListenAddress,
  all: readonly ListenAddress[],
  setting?: string,
): Promise<string> {
  const { host, port } = address;
  const server = createServer();
  try {
    server.listen({ port, host, ipv6Only: isIpv6Only(address, all) });
    await once(server, 'listening');
    return `${addressText(address)} is free`;
  } catch (error) {
    const problem = listenProblem(error, address, setting);
    throw problem === undefined ? error : new Error(problem, { cause: error });
  } finally {
    server.close();
  }
}
