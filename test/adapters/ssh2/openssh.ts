/** The ssh that people have, against a ground. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, type Result } from '../../support/door.js';
import { temporaryFolder } from '../../support/temporary.js';
import { pairOf, type Ground, type Pair } from './ground.js';
import { readFileSync } from 'node:fs';

export interface KeyFile extends Pair {
  readonly path: string;
}

/** A key pair by ssh-keygen, with its `.pub` beside it. */
export async function generateKey(...options: readonly string[]): Promise<KeyFile> {
  const path = join(temporaryFolder('key'), 'id');
  const made = await execute('ssh-keygen', ['-q', '-N', '', '-C', 'a comment', '-f', path, ...options]);
  if (made.code !== 0) throw new Error(made.stderr);
  return { ...pairOf(readFileSync(path, 'utf8')), path };
}

/**
 * Runs a command over ssh, strict about the server's host key.
 * @param agent the socket of one, which may hold what `keyFile` is the public half of.
 */
export function openssh(
  ground: Ground,
  keyFile: string,
  {
    options = [],
    command = 'who',
    host = '127.0.0.1',
    ssh = 'ssh',
    agent = 'none',
  }: Partial<Record<'command' | 'host' | 'ssh' | 'agent', string>> & {
    options?: readonly string[];
  } = {},
): Promise<Result> {
  const knownHosts = join(temporaryFolder('ssh'), 'known_hosts');
  const lines = ground.hostKeys.map(({ publicLine }) => `[${host}]:${ground.port} ${publicLine}\n`);
  writeFileSync(knownHosts, lines.join(''));
  return execute(
    ssh,
    [
      ...['-F', '/dev/null', '-i', keyFile, '-o', 'IdentitiesOnly=yes', '-o', `IdentityAgent=${agent}`],
      ...['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
      ...options,
      ...['-p', String(ground.port), `git@${host}`, command],
    ],
    { env: { LC_ALL: 'C' }, limitMs: 20_000 },
  );
}
