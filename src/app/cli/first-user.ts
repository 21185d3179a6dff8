import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedPlatform } from '../../adapters/embedded/platform.js';
import { agentKeyLines } from '../../adapters/ssh2/agent-keys.js';
import { readKeyLine } from '../../adapters/ssh2/public-keys.js';
import type { PublicKey } from '../../domain/public-key.js';
import { userNameFrom } from '../../domain/user.js';
import { printable } from '../../domain/words/printable.js';
import { account } from '../config.js';

export interface FoundKey {
  readonly key: PublicKey;
  readonly comment: string;
  readonly from: string;
}

/**
 * While there is no user, makes one of whoever starts the server: named after the account, with the keys it can log
 * in with. Says what it does.
 * @returns the name of a user who can push, or undefined when there is none.
 */
export async function makeFirstUser(
  platform: EmbeddedPlatform,
  say: (line: string) => void,
): Promise<string | undefined> {
  const users = platform.users.list();
  if (users.length > 0) return users.find((user) => user.keys > 0)?.name;
  const keys = await ownKeys();
  if (keys.length === 0) return undefined;
  const name = firstUserName();
  platform.users.add(name);
  say(`First start: made the user ${name}, with`);
  for (const { key, comment, from } of keys) {
    platform.keys.add(name, key, comment);
    say(`  ${key.algorithm} ${key.sha256} (${from})`);
  }
  return name;
}

/** The keys that whoever starts the server can log in with, each once. */
export async function ownKeys(): Promise<readonly FoundKey[]> {
  const { home, agentSocket } = account();
  const keys = [...keysOfHome(join(home, '.ssh')), ...(await keysOfAgent(agentSocket))];
  return keys.filter(({ key }, index) => keys.findIndex((other) => other.key.sha256 === key.sha256) === index);
}

/** After whoever starts the server. */
export function firstUserName(): string {
  return userNameFrom(account().name) ?? 'owner';
}

/** The public halves whose private file lies beside them: a lone `.pub` file may be somebody else's key. */
function keysOfHome(folder: string): readonly FoundKey[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^id_.*\.pub$/.test(file) && existsSync(join(folder, file.slice(0, -'.pub'.length))))
    .flatMap((file) => usable(readFileSync(join(folder, file), 'utf8'), join(folder, file)));
}

async function keysOfAgent(socket: string | undefined): Promise<readonly FoundKey[]> {
  if (socket === undefined) return [];
  return (await agentKeyLines(socket)).flatMap((line) => usable(line, 'ssh agent'));
}

function usable(line: string, from: string): readonly FoundKey[] {
  const reading = readKeyLine(line);
  return 'problem' in reading ? [] : [{ key: reading.key, comment: reading.comment ?? '', from: printable(from) }];
}
