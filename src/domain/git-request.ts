import { appNameOfPath, type AppNames } from './app-name.js';
import type { Refusal } from './refusal.js';

/** The three commands of git that serve a remote (git-upload-pack(1), git-receive-pack(1), git-upload-archive(1)). */
export type GitService = 'git-upload-pack' | 'git-receive-pack' | 'git-upload-archive';

/** One git command on one app. */
export interface GitRequest {
  readonly service: GitService;
  readonly app: string;
  /** The wire protocol the client asked for; 0 when it asked for none (gitprotocol-v2(5)). */
  readonly protocol: GitProtocol;
}

export type GitProtocol = 0 | 1 | 2;

/** Whether the request may change the repository. */
export function isWrite(service: GitService): boolean {
  return service === 'git-receive-pack';
}

/** Whether git on this side says the first word, so that its silence is no politeness (gitprotocol-pack(5)). */
export function speaksFirst(service: GitService): boolean {
  return service !== 'git-upload-archive';
}

/** Longest command line that is looked at, in UTF-16 units. */
export const MAX_COMMAND_LENGTH = 256;

// A closed list of forms: `git-x` or `git x` (Git for Windows), one argument, bare or in single quotes. An argument
// that git had to escape (`'\''`) holds a character no app name has, so it needs no unescaping to be refused.
const GIT_COMMAND = /^git[- ](upload-pack|receive-pack|upload-archive) (?:'([^']*)'|([^\s'"\\]+))$/;
const GIT_VERB = /^git[- ](?:upload-pack|receive-pack|upload-archive)(?:\s|$)/;
const LFS_COMMAND = /^git[- ]lfs-(?:authenticate|transfer)(?: |$)/;

/** Reads the command of an SSH `exec` request (RFC 4254 6.5). Never runs or unescapes anything. */
export function parseGitCommand(
  command: string,
  appNames: AppNames = 'plain',
): Pick<GitRequest, 'service' | 'app'> | Extract<Refusal, { kind: 'invalid-command' | 'invalid-path' | 'lfs' }> {
  if (command.length > MAX_COMMAND_LENGTH) return { kind: 'invalid-command', command };
  if (LFS_COMMAND.test(command)) return { kind: 'lfs' };
  const match = GIT_COMMAND.exec(command);
  if (match === null) return { kind: GIT_VERB.test(command) ? 'invalid-path' : 'invalid-command', command };
  const app = appNameOfPath(match[2] ?? match[3] ?? '', appNames);
  if (app === undefined) return { kind: 'invalid-path', command };
  return { service: `git-${match[1]}` as GitService, app };
}

/** Whether two commands ask for the same, however they are written; one that asks for nothing of git is like no other. */
export function isSameRequest(one: string, other: string, appNames: AppNames): boolean {
  const [first, second] = [parseGitCommand(one, appNames), parseGitCommand(other, appNames)];
  return 'app' in first && 'app' in second && first.service === second.service && first.app === second.app;
}

/**
 * The protocol that a `GIT_PROTOCOL` environment value asks for, or undefined when the value is none git sends.
 * Strict: what passes is handed on to git inside the dyno.
 */
export function parseGitProtocol(value: string): GitProtocol | undefined {
  const match = /^version=([012])$/.exec(value);
  return match ? (Number(match[1]) as GitProtocol) : undefined;
}
