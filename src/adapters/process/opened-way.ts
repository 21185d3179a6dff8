import type { ViewMount } from './bubblewrap-arguments.js';
import type { HostUser } from './sandbox.js';

/** Hidden under it: the real /tmp, in this one mount namespace. It exists on every machine. */
const STAGE = '/tmp';

/**
 * How a root server starts a dyno as an unprivileged user of this machine.
 *
 * The user can't reach a repository below a folder that is closed to it (/root is 0700). So an outer bubblewrap, as
 * real root, only lays each mount open under STAGE; then setpriv gives root up for good; then the sandbox proper
 * starts, from there on like that of a user without any rights.
 */
export function throughOpenedWay(
  programs: { readonly bwrap: string; readonly setpriv: string },
  user: HostUser,
  mounts: readonly ViewMount[],
): { readonly prefix: string[]; readonly mounts: ViewMount[] } {
  const staged = mounts.map((mount, index) => ({ ...mount, hostPath: `${STAGE}/${index}` }));
  const opening = mounts.flatMap(({ hostPath, writable }, index) => [
    writable === true ? '--bind' : '--ro-bind',
    hostPath,
    `${STAGE}/${index}`,
  ]);
  const prefix = [
    programs.bwrap,
    '--die-with-parent',
    ...['--dev-bind', '/', '/'],
    ...['--tmpfs', STAGE],
    ...opening,
    ...['--chdir', '/'],
    '--',
    programs.setpriv,
    ...['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'],
    ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'],
    // A change of user drops the death signal that the outer bubblewrap asked for.
    ...['--pdeathsig', 'KILL'],
    '--',
  ];
  return { prefix, mounts: staged };
}
