import type { GitService } from '../../domain/git-request.js';
import { REPOSITORY } from './sandbox.js';

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
