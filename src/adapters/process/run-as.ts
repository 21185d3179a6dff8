import type { HostUser } from './sandbox.js';

/** A job that is root on this machine keeps more than namespaces take away. */
export function checkRunAs(runAs: HostUser | undefined): void {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && runAs === undefined)
    throw new Error('a server that runs as root must be told which user its dynos run as');
  if (!isRoot && runAs !== undefined) throw new Error('only a server that runs as root can run dynos as another user');
  if (runAs?.uid === 0 || runAs?.gid === 0) throw new Error('dynos never run as root');
}
