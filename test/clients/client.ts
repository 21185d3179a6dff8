/** What a client of the matrix is: something that can list, clone and push over SSH, by git itself or by its own means. */
import type { AlgorithmSet } from '../../src/domain/algorithm-set.js';
import type { Result } from '../support/door.js';
import type { ProgramName } from '../support/programs.js';
import { Running } from '../support/running.js';
import type { KeyKind } from './keys.js';

/** What a client is given to reach one app. */
export interface Visit {
  readonly url: string;
  /** Its home, with the door's host keys in `.ssh/known_hosts`. */
  readonly home: string;
  readonly knownHosts: string;
  readonly hostKeys: readonly { readonly fingerprint: string; readonly base64: string }[];
  /** A private key of ssh-keygen's, with its `.pub` beside it. */
  readonly keyFile: string;
  /** Where the client can, it makes new keys after so much traffic. */
  readonly rekeyBytes?: number;
}

export type Verb = 'ls-remote' | 'clone' | 'push';

export interface Client {
  /** As in the table of docs/clients.md. */
  readonly name: string;
  readonly programs: readonly ProgramName[];
  /** The kinds of key that it works with, in each set of algorithms. */
  readonly works: Readonly<Record<AlgorithmSet, readonly KeyKind[]>>;
  /** Runs one verb. @param args for `clone` a new folder; for `push` a repository and a refspec. */
  run(visit: Visit, verb: Verb, ...args: readonly string[]): Promise<Result>;
}

const LIMIT_MS = 60_000;

/** How git is to start a client that stands in for ssh. */
export interface SshCommand {
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** How it takes a port; see `ssh.variant` in git-config(1). */
  readonly variant: 'ssh' | 'plink';
}

/** Git over another ssh than OpenSSH's, as GIT_SSH_COMMAND sets it up. */
export function git(
  visit: Visit,
  { words, environment, variant }: SshCommand,
  verb: Verb,
  ...args: readonly string[]
): Promise<Result> {
  const env = {
    HOME: visit.home,
    GIT_SSH_COMMAND: words.join(' '),
    GIT_SSH_VARIANT: variant,
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    LC_ALL: 'C.UTF-8',
    ...environment,
  };
  const [folder = '', refspec = ''] = args;
  switch (verb) {
    case 'ls-remote':
      return ran('git', ['ls-remote', visit.url], env);
    case 'clone':
      return ran('git', ['clone', '--quiet', visit.url, folder], env);
    case 'push':
      return ran('git', ['-C', folder, 'push', visit.url, refspec], env);
  }
}

/** A client that speaks git itself: a program of test/clients/programs, which all take the same words. */
export function program(
  { url, home }: Visit,
  keyFile: string,
  words: readonly [string, ...string[]],
  verb: Verb,
  ...args: readonly string[]
): Promise<Result> {
  const [command, ...options] = words;
  const env = { HOME: home, LC_ALL: 'C.UTF-8' };
  return ran(command, [...options, verb, url, keyFile, ...args], env);
}

/** With all it starts: a client that waits for an answer at a terminal would outlive git. */
async function ran(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Result> {
  const running = new Running(command, args, { env });
  running.stdin.end();
  try {
    return await running.ended(LIMIT_MS);
  } finally {
    await running.kill();
  }
}

/** What a run that must succeed wrote to standard output. */
export function succeeded({ code, stdout, stderr }: Result): string {
  if (code !== 0) throw new Error(`ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}
