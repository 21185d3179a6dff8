/** How a root server reaches what lies below folders that are closed to its dynos' user. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ViewMount } from './bubblewrap-arguments.js';
import type { HostUser } from './sandbox.js';

export interface Way {
  /** Comes before the sandbox's own command, and becomes it in the end: there is one process all the way. */
  readonly prefix: readonly string[];
  /** The mounts, with `hostPath` as the unprivileged user finds them. */
  readonly mounts: readonly ViewMount[];
}

/** Covered by an empty one in the mount namespace of that one process. It exists on every machine. */
const STAGE = '/tmp';

/**
 * Lays each given path open under STAGE, in the order of the arguments up to `--`, then becomes what follows.
 *
 * Not an outer bubblewrap: the process that bwrap leaves behind as root drops all capabilities, and then may not even
 * pass its own death on to a child of another user (PR_SET_PDEATHSIG checks for permission), which would live on.
 */
const OPEN_WAY = `set -e
mount -n -t tmpfs -o mode=0711,size=1m gitmouth ${STAGE}
number=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "${STAGE}/$number"; else : >"${STAGE}/$number"; fi
  mount -n --bind "$1" "${STAGE}/$number"
  number=$((number + 1))
  shift
done
shift
exec "$@"`;

/** As the user, with root given up for good; opens the way first where any of the mounts needs it. */
export function wayAs(
  user: HostUser,
  programs: { readonly setpriv: string; readonly unshare: string },
  mounts: readonly ViewMount[],
): Way {
  const prefix = asUser(programs.setpriv, user);
  const needsOpening = ({ hostPath }: ViewMount): boolean => !isReachableByAll(hostPath);
  if (!mounts.some(needsOpening)) return { prefix, mounts };
  // The stage covers what else lies in the folder it is made on.
  const staged = mounts.filter((mount) => needsOpening(mount) || mount.hostPath.startsWith(`${STAGE}/`));
  const opening = [programs.unshare, '--mount', '--', '/bin/sh', '-c', OPEN_WAY, 'sh'];
  return {
    prefix: [...opening, ...staged.map(({ hostPath }) => hostPath), '--', ...prefix],
    mounts: mounts.map((mount) => {
      const number = staged.indexOf(mount);
      return number === -1 ? mount : { ...mount, hostPath: `${STAGE}/${number}` };
    }),
  };
}

function asUser(setpriv: string, { uid, gid }: HostUser): string[] {
  return [
    setpriv,
    ...['--reuid', String(uid), '--regid', String(gid), '--clear-groups'],
    ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'],
    // From here on, and again by bubblewrap, its life depends on the server's.
    ...['--pdeathsig', 'KILL'],
    '--',
  ];
}

const OTHERS_MAY_PASS = 0o001;

/** To mount something, a user must be able to pass through the folders above it, and no more. */
function isReachableByAll(path: string): boolean {
  const parent = dirname(path);
  if (parent === path) return true;
  const stats = statSync(parent, { throwIfNoEntry: false });
  return stats !== undefined && (stats.mode & OTHERS_MAY_PASS) !== 0 && isReachableByAll(parent);
}
