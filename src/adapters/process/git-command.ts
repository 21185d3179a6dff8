import type { DynoExit } from '../../domain/dyno.js';
import type { GitService } from '../../domain/git-request.js';
import { REPOSITORY } from './sandbox.js';
import { signalNumbered } from './signal-names.js';

export const HOOKS_AT = '/gitmouth/hooks';
export const OPERATOR_HOOKS_AT = '/gitmouth/operator-hooks';
export const FENCE_AT = '/gitmouth/fence';

/** The command that serves a client. The path is ours and absolute: nothing in it can be taken for an option. */
export function gitCommand(service: GitService): [string, ...string[]] {
  const git: [string, ...string[]] = ['git', '-c', `core.hooksPath=${HOOKS_AT}`];
  switch (service) {
    case 'git-upload-pack':
      return [...git, 'upload-pack', '--strict', REPOSITORY];
    case 'git-receive-pack':
      return [...git, 'receive-pack', REPOSITORY];
    case 'git-upload-archive':
      return [...git, 'upload-archive', REPOSITORY];
  }
}

/** The highest status that git ends with of its own accord: that of a usage error (git's usage.c). */
const GIT_AT_MOST = 129;

/**
 * How one of these commands ended, where a sandbox may tell death by signal n as the status 128 + n alone. Any program
 * may end with such a status, but git doesn't, and so it was a signal: whoever sent it, a hook or the kernel too. 129 is
 * git's own, unless the sandbox itself knows of a HUP.
 */
export function exitOfGit(exit: DynoExit): DynoExit {
  if (exit.kind === 'signal' || exit.code <= GIT_AT_MOST) return exit;
  const signal = signalNumbered(exit.code - 128);
  return signal === undefined ? exit : { kind: 'signal', signal };
}
