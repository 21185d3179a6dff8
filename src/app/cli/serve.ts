import { closeSync, openSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import { loadOrCreateHostKeys } from '../../adapters/ssh2/host-keys.js';
import type { Config } from '../config.js';
import { openPlatform } from '../platforms/embedded.js';
import { createGateway, type Gateway } from '../gateway.js';
import { hostKeysAt } from '../host-keys-at.js';
import { firstUserName, makeFirstUser } from './first-user.js';
import { printableLines, terminal } from './output.js';

/** After a second signal, how long the end may take before the process goes without it. */
const HURRY_MS = 1_000;

/**
 * Resolves when the server has ended.
 * @param read gives the configuration, anew each time.
 */
export async function serve(read: () => Config): Promise<void> {
  const config = read();
  const gateway = await createGateway(config);
  const user = await firstUser(config);
  const { host, port } = await gateway.start();
  for (const line of welcome(config, host, port, user)) terminal.err(line);
  await untilSignalled(gateway, read);
}

async function firstUser(config: Config): Promise<string | undefined> {
  if (config.platform.kind !== 'embedded') return undefined;
  const { platform, db } = openPlatform(config);
  try {
    return await makeFirstUser(platform, (line) => {
      terminal.err(line);
    });
  } finally {
    db.close();
  }
}

function welcome(config: Config, host: string, port: number, user: string | undefined): readonly string[] {
  const name = host === '::' || host === '0.0.0.0' ? hostname() : host;
  const login = config.loginName ?? 'git';
  const address = `${name.includes(':') ? `[${name}]` : name}:${port}`;
  const hostKeys = loadOrCreateHostKeys(...hostKeysAt(config));
  const width = Math.max(...hostKeys.map((key) => key.algorithm.length));
  const keys = hostKeys.map((key) => `  ${key.algorithm.padEnd(width)}  ${key.fingerprint}`);
  return [
    `gitmouth listens on ${address}, with the host keys`,
    ...keys,
    ...adviceFor(config, user),
    '',
    `  git push ssh://${login}@${address}/${config.platform.kind === 'embedded' ? 'hello' : '<app>'}.git HEAD:main`,
    '',
  ];
}

function adviceFor(config: Config, user: string | undefined): readonly string[] {
  if (config.platform.kind !== 'embedded') return ['For users and apps of the platform, from any repository:'];
  return user === undefined ? adviceWithoutUser(config) : [`From any repository, as ${user}:`];
}

/** The command works as it stands, for whoever has a key; `ssh-keygen -t ed25519` makes one where it says. */
function adviceWithoutUser({ dataFolder }: Config): readonly string[] {
  const data = dataFolder === resolvePath('data') ? '' : ` --data ${inShell(dataFolder)}`;
  return [
    'There is no user yet, as no key was found. With one (made by ssh-keygen -t ed25519), add a user:',
    '',
    `  npx gitmouth user add ${firstUserName()} --key ~/.ssh/id_ed25519.pub${data}`,
    '',
    'And then, from any repository:',
  ];
}

function inShell(text: string): string {
  return /^[\w./@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Resolves when everything is closed. */
async function untilSignalled(gateway: Gateway, read: () => Config): Promise<void> {
  const reload = new Reloading(gateway, read);
  const hadTerminal = hasTerminal();
  await new Promise<void>((resolve, reject) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals += 1;
      if (signals === 1) {
        terminal.err(`${signal}: finishing what runs; once more to end at once.`);
        gateway.drain().then(resolve, reject);
        return;
      }
      void gateway.stop();
      setTimeout(() => process.exit(signal === 'SIGINT' ? 130 : 143), HURRY_MS);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    process.on('SIGHUP', () => {
      // The window it was started in was closed: nobody has asked for a reload.
      if (hadTerminal && !hasTerminal()) onSignal('SIGTERM');
      else reload.ask();
    });
    // Nothing below may throw past its session; if something does, the state is unknown: stop well, and let a
    // supervisor start anew.
    process.on('uncaughtException', (error) => {
      terminal.err(`gitmouth: stopping after an internal error: ${error.stack ?? error.message}`);
      process.exitCode = 70;
      gateway.drain().then(() => process.exit(70), reject);
    });
  });
}

/** Reloads when asked to; once more, when it was asked to meanwhile. */
class Reloading {
  readonly #gateway: Gateway;
  readonly #read: () => Config;
  #isAsked = false;
  #isRunning = false;

  constructor(gateway: Gateway, read: () => Config) {
    this.#gateway = gateway;
    this.#read = read;
  }

  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#reload();
    }
    this.#isRunning = false;
  }

  async #reload(): Promise<void> {
    try {
      const { changed, needRestart } = await this.#gateway.reload(this.#read);
      terminal.err(
        `SIGHUP: reloaded; ${changed.length === 0 ? 'no setting has changed' : `changed: ${changed.join(', ')}`}.`,
      );
      if (needRestart.length > 0) terminal.err(`  Needs a restart: ${needRestart.join(', ')}.`);
    } catch (error) {
      terminal.err(
        printableLines(`SIGHUP: nothing was changed. ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
