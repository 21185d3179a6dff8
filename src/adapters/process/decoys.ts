import { lstatSync } from 'node:fs';
import { Fault } from '../../domain/fault.js';
import { runInSandbox } from './run.js';
import { REPOSITORY, type Sandbox } from './sandbox.js';

/**
 * What leads git away from the repository it is given: receive-pack and upload-archive look for `<path>/.git` before
 * `<path>` (enter_repo in git's path.c), and `commondir` names another place for config, refs and objects
 * (gitrepository-layout(5)). No bare repository has either; a hook can make them, to have the next push served with
 * a configuration of its own.
 */
const DECOYS = ['.git', 'commondir'];

/** A folder can be closed to its own owner. */
const REMOVE = 'chmod -R u+rwX -- "$@" 2>/dev/null; rm -rf -- "$@"';

/** @throws Fault when one is there and can't be removed. */
export async function removeDecoys(sandbox: Sandbox, repository: string, signal: AbortSignal): Promise<void> {
  const found = DECOYS.filter((name) => lstatSync(`${repository}/${name}`, { throwIfNoEntry: false }) !== undefined);
  if (found.length === 0) return;
  const paths = found.map((name) => `${REPOSITORY}/${name}`);
  // In the sandbox: behind these names may be a link to anywhere.
  const { code, stderr } = await runInSandbox(sandbox)(
    { repository, access: 'write', argv: ['sh', '-c', REMOVE, 'sh', ...paths] },
    signal,
  );
  if (code !== 0) throw new Fault('GM_REPOSITORY', 'connect', `${repository}: ${found.join(', ')} stays: ${stderr}`);
}
