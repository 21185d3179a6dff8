import { hostname } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import type { Config } from '../config.js';
import { openPlatform } from '../platforms/embedded.js';
import { createGateway } from '../gateway.js';
import { addressText, type ListenAddress } from '../listen-addresses.js';
import type { ShownHostKey } from '../platforms/host-keys.js';
import { firstUserName, makeFirstUser } from './first-user.js';
import { Hangups } from './hangups.js';
import { terminal } from './output.js';
import { ServerSignals } from './server-signals.js';

/**
 * Resolves when the server has ended, also where it was told to before it had started.
 * @param read gives the configuration, anew each time.
 * @param hangups may have heard of one already.
 */
export async function serve(read: () => Config, hangups = new Hangups()): Promise<void> {
  const signals = new ServerSignals(read, hangups);
  const config = read();
  const gateway = await createGateway(config);
  signals.made(gateway);
  try {
    const user = await firstUser(config);
    const { all } = await gateway.start();
    for (const line of welcome(config, all, gateway.hostKeys(), user)) terminal.err(line);
    signals.listening(gateway);
  } catch (error) {
    if (!signals.isEnding) throw error;
  }
  await signals.ended;
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

function welcome(
  config: Config,
  all: readonly ListenAddress[],
  hostKeys: readonly ShownHostKey[],
  user: string | undefined,
): readonly string[] {
  const addresses = all.map(reachable);
  const [address = ''] = addresses;
  const login = config.loginName ?? 'git';
  const width = Math.max(...hostKeys.map((key) => key.algorithm.length));
  const keys = hostKeys.map(
    (key) => `  ${key.algorithm.padEnd(width)}  ${key.fingerprint}${key.state === 'next' ? '  (next)' : ''}`,
  );
  return [
    `gitmouth listens on ${addresses.join(', ')}, with the host keys`,
    ...keys,
    ...adviceFor(config, user),
    '',
    `  git push ssh://${login}@${address}/${config.platform.kind === 'embedded' ? 'hello' : '<app>'}.git HEAD:main`,
    '',
  ];
}

/** As a client may be told it. */
function reachable({ host, port }: ListenAddress): string {
  return addressText({ host: host === '::' || host === '0.0.0.0' ? hostname() : host, port });
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
