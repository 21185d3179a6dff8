/**
 * OpenSSH's own server as a dyno: with a configuration, keys and an account of its own, on loopback, without rights.
 *
 * It runs in namespaces of its own, where the one account there is has a shell whatever this machine's /etc/passwd says,
 * and where everything ends with it: what it starts for a session has no environment of ours to be known by.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { readablePrivateKey } from '../../../src/adapters/ssh2/key-file.js';
import { until } from '../door.js';
import { descendantsOf, runningProcesses, type MachineProcess } from '../machine.js';
import { Running } from '../running.js';
import { temporaryFolder } from '../temporary.js';

export const DYNO_USER = 'dyno';
const UID = 64_321;
const START_LIMIT_MS = 20_000;
const TRIES = 5;

/** Of what the real one needs and a test must not have. */
const BASE = `
ListenAddress 127.0.0.1
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
PermitTTY no
DisableForwarding yes
MaxStartups 100
LogLevel VERBOSE
`;

export interface SshdOptions {
  /** Names and patterns of variables that it takes as environment. */
  readonly acceptEnv?: string;
  /** The type of its host key. */
  readonly hostKey?: 'ed25519' | 'rsa' | 'ecdsa';
  /** Lines of sshd_config(5). */
  readonly more?: readonly string[];
  /** In front of the key in authorized_keys (sshd(8)). */
  readonly keyOptions?: string;
}

export class Sshd {
  readonly port: number;
  /** As a link pins it. */
  readonly hostKey: string;
  readonly #process: Running;

  private constructor(process: Running, port: number, hostKey: string) {
    this.#process = process;
    this.port = port;
    this.hostKey = hostKey;
  }

  /** @param authorized the public keys that are let in, one a line. */
  static async start(authorized: string, options: SshdOptions = {}): Promise<Sshd> {
    for (let tries = 1; ; tries += 1) {
      const started = await Sshd.#tryToStart(authorized, options);
      if (typeof started !== 'string') return started;
      // Somebody else has taken the port meanwhile.
      if (tries === TRIES || !started.includes('Cannot bind')) throw new Error(`sshd does not start: ${started}`);
    }
  }

  static async #tryToStart(authorized: string, options: SshdOptions): Promise<Sshd | string> {
    const folder = temporaryFolder('sshd');
    const [port, hostKey] = [await freePort(), makeHostKey(folder, options.hostKey ?? 'ed25519')];
    const running = new Running('bwrap', [
      ...inside(folder),
      '/usr/sbin/sshd',
      '-D',
      '-e',
      '-f',
      configure(folder, port, authorized, options),
    ]);
    await until(
      () => running.hasEnded || running.stderr.includes('Server listening'),
      START_LIMIT_MS,
      () => `sshd does not start: ${running.stderr}`,
    );
    return running.hasEnded ? running.stderr : new Sshd(running, port, hostKey);
  }

  /** What it has logged. */
  get log(): string {
    return this.#process.stderr;
  }

  /** The server itself, without the sessions it has begun. */
  get #listener(): MachineProcess {
    const found = descendantsOf(this.#process.pid).find(({ command }) => command.includes('[listener]'));
    if (found === undefined) throw new Error(`sshd is not there: ${this.log}`);
    return found;
  }

  /** Takes connections, and says nothing to them, until `goOn`. */
  standStill(): void {
    process.kill(this.#listener.pid, 'SIGSTOP');
  }

  goOn(): void {
    process.kill(this.#listener.pid, 'SIGCONT');
  }

  /** Ends the server, all its sessions and all that runs in them, at once. */
  stop(): Promise<void> {
    return this.#process.kill();
  }
}

/** What runs for a session that was given this value of a variable: the command, and all that it has started. */
export function processesWith(variable: string): readonly MachineProcess[] {
  return runningProcesses().filter(({ pid }) => environmentOf(pid).includes(variable));
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function inside(folder: string): readonly string[] {
  const others = readFileSync('/etc/passwd', 'utf8');
  const entry = `${DYNO_USER}:x:${UID}:${UID}::${folder}:/bin/sh\n`;
  writeFileSync(join(folder, 'passwd'), entry + others);
  const account = ['--unshare-user', '--uid', String(UID), '--gid', String(UID)];
  const seen = ['--dev-bind', '/', '/', '--ro-bind', join(folder, 'passwd'), '/etc/passwd'];
  return [...account, '--unshare-pid', '--die-with-parent', ...seen, '--'];
}

function configure(folder: string, port: number, authorized: string, options: SshdOptions): string {
  const { acceptEnv, more = [], keyOptions } = options;
  const keys = join(folder, 'authorized_keys');
  writeFileSync(keys, `${keyOptions === undefined ? '' : `${keyOptions} `}${authorized}\n`);
  const lines = [`Port ${port}`, `HostKey ${join(folder, 'host_key')}`, `AuthorizedKeysFile ${keys}`];
  if (acceptEnv !== undefined) lines.push(`AcceptEnv ${acceptEnv}`);
  const file = join(folder, 'sshd_config');
  // The first word on a subject is the last one (sshd_config(5)).
  writeFileSync(file, [...lines, ...more, BASE].join('\n'));
  return file;
}

function makeHostKey(folder: string, type: 'ed25519' | 'rsa' | 'ecdsa'): string {
  const make = {
    ed25519: () => ssh2.utils.generateKeyPairSync('ed25519'),
    rsa: () => ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }),
    ecdsa: () => ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }),
  }[type];
  const privateKey = readablePrivateKey(make);
  writeFileSync(join(folder, 'host_key'), privateKey, { mode: 0o600 });
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
