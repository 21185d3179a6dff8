/** The arguments of bubblewrap: what a dyno sees of this machine. */
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { DynoLimits } from '../../domain/dyno-policy.js';
import { DYNO_GID, DYNO_UID, GROUP_FILE, PASSWD_FILE } from './assets.js';
import { PROGRAM_PATH } from './programs.js';
import { REPOSITORY, type Mount, type Network } from './sandbox.js';

export interface View {
  readonly repository: string;
  readonly access: 'read' | 'write';
  /** In place of the repository's own `config`, which a hook could have spoiled. */
  readonly configFile?: string;
  readonly mounts: readonly Mount[];
  readonly network: Network;
  readonly limits: DynoLimits;
  readonly environment: Readonly<Record<string, string>>;
}

/** Read-only unless it says otherwise. */
export interface ViewMount extends Mount {
  readonly writable?: boolean;
}

const HOME = '/home/dyno';
const SHARED_MEMORY_BYTES = 64 * 1024 ** 2;

const ROOT_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Of /etc only what programs need to start, to find each other, and to check certificates. */
const ETC = [
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/ssl/certs',
  '/etc/ca-certificates',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/localtime',
  '/etc/nsswitch.conf',
  '/etc/services',
  '/etc/protocols',
];
const ETC_FOR_NETWORK = ['/etc/resolv.conf', '/etc/hosts'];

/** Folders of this machine that every dyno can read: nothing secret may lie in them. */
export const VISIBLE_FOLDERS: readonly string[] = ['/usr', ...ROOT_FOLDERS, ...ETC];

/** Every file and folder of this machine that is put into the sandbox, in the order it is mounted. */
export function viewMounts(view: View): ViewMount[] {
  return [
    { hostPath: PASSWD_FILE, at: '/etc/passwd' },
    { hostPath: GROUP_FILE, at: '/etc/group' },
    ...view.mounts,
    { hostPath: view.repository, at: REPOSITORY, writable: view.access === 'write' },
    ...(view.configFile === undefined ? [] : [{ hostPath: view.configFile, at: `${REPOSITORY}/config` }]),
  ];
}

/**
 * @param mounts the view's mounts, with `hostPath` as bubblewrap will find it.
 */
export function bubblewrapArguments(view: View, mounts: readonly ViewMount[]): string[] {
  return [
    ...namespaces(view.network),
    ...system(view.network),
    ...scratch(view.limits.memoryBytes),
    ...mounts.flatMap(({ hostPath, at, writable }) => [writable === true ? '--bind' : '--ro-bind', hostPath, at]),
    // Only now, as mount points are made in them: no place but the repository and the scratch folders is writable, so
    // memory can't be filled through a tmpfs without a size either.
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
    ...['--chdir', REPOSITORY],
    ...environment(view.environment),
  ];
}

function namespaces(network: Network): string[] {
  return [
    '--unshare-all',
    '--unshare-user',
    '--disable-userns',
    ...(network === 'shared' ? ['--share-net'] : []),
    ...['--uid', String(DYNO_UID), '--gid', String(DYNO_GID)],
    ...['--hostname', 'dyno'],
    ...['--cap-drop', 'ALL'],
    '--new-session',
    '--die-with-parent',
  ];
}

function system(network: Network): string[] {
  const etc = network === 'shared' ? [...ETC, ...ETC_FOR_NETWORK] : ETC;
  return [
    ...['--ro-bind', '/usr', '/usr'],
    ...ROOT_FOLDERS.flatMap(rootFolder),
    ...etc.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc'],
    ...['--dev', '/dev'],
  ];
}

/** Links into /usr where this machine has them; folders on machines that keep /bin and /usr/bin apart. */
function rootFolder(path: string): string[] {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return [];
  return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

function scratch(sizeBytes: number): string[] {
  return [
    ...['--size', String(SHARED_MEMORY_BYTES), '--tmpfs', '/dev/shm'],
    ...['--size', String(sizeBytes), '--tmpfs', '/tmp'],
    ...['--size', String(sizeBytes), '--tmpfs', HOME],
  ];
}

function environment(variables: Readonly<Record<string, string>>): string[] {
  const whole = { ...variables, PATH: PROGRAM_PATH, HOME, LANG: 'C.UTF-8' };
  return ['--clearenv', ...Object.entries(whole).flatMap(([name, value]) => ['--setenv', name, value])];
}
