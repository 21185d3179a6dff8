/** How a root server reaches what lies below folders that are closed to its dynos' user. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../domain/fault.js';
import type { ViewMount } from './bubblewrap-arguments.js';
import type { HostUser } from './sandbox.js';

export interface Way {
  /** Comes before the sandbox's own command, and becomes it in the end: there is one process all the way. */
  readonly prefix: readonly string[];
  /** The mounts, with `hostPath` as the unprivileged user finds them. */
  readonly mounts: readonly ViewMount[];
}

/** Folders that may be covered, in the mount namespace of one process, by a stage on which closed places lie open. */
const STAGES = ['/mnt', '/media', '/srv', '/tmp'];

/**
 * Lays paths open on the stage, which is the first argument, in the order of the others up to `--`; then becomes what
 * follows.
 *
 * Not an outer bubblewrap: the process that bwrap leaves behind as root drops all capabilities, and then may not even
 * pass its own death on to a child of another user (PR_SET_PDEATHSIG checks for permission), which would live on.
 */
const OPEN_WAY = `set -e
mount -n -t tmpfs -o mode=0711,size=1m gitmouth "$1"
stage=$1
shift
number=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "$stage/$number"; else : >"$stage/$number"; fi
  mount -n --bind "$1" "$stage/$number"
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
  const closed = mounts.filter(({ hostPath }) => !isReachableByAll(hostPath));
  if (closed.length === 0) return { prefix, mounts };
  const stage = freeStage(mounts.map(({ hostPath }) => hostPath));
  const opening = [programs.unshare, '--mount', '--', '/bin/sh', '-c', OPEN_WAY, 'sh', stage];
  return {
    prefix: [...opening, ...closed.map(({ hostPath }) => hostPath), '--', ...prefix],
    mounts: mounts.map((mount) => {
      const number = closed.indexOf(mount);
      return number === -1 ? mount : { ...mount, hostPath: `${stage}/${number}` };
    }),
  };
}

/** One that covers nothing that is to be seen. */
function freeStage(paths: readonly string[]): string {
  const real = paths.filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const isFree = (stage: string): boolean =>
    existsSync(stage) && real.every((path) => !`${path}/`.startsWith(`${stage}/`));
  const stage = STAGES.find(isFree);
  if (stage !== undefined) return stage;
  throw new Fault(
    'GM_DYNO_START',
    'connect',
    `what dynos need lies below each of ${STAGES.join(', ')}: move some of it`,
  );
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
  return existsSync(path) && [path, realpathSync(path)].every(mayBePassedTo);
}

function mayBePassedTo(path: string): boolean {
  const parent = dirname(path);
  return parent === path || ((statSync(parent).mode & OTHERS_MAY_PASS) !== 0 && mayBePassedTo(parent));
}
