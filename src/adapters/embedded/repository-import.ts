import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { isBranchName } from '../../domain/branch-name.js';
import { printable } from '../../domain/words/printable.js';
import { PlatformError } from './platform-error.js';
import { gitOn, REPOSITORY, type JobResult, type RunInRepository } from './repository-run.js';

const SOURCE = '/import';

// The source may belong to anybody. Git takes no configuration of ours over to the upload-pack that it starts for a
// local path, so that one is named with its own.
const UPLOAD_PACK = "--upload-pack=git -c safe.directory='*' upload-pack";
const AS_SOURCE = ['-c', 'safe.directory=*', '-c', 'protocol.file.allow=always', '-c', 'protocol.version=2'];

/** A fetch leaves refs out without failing, of a shallow source for one: only the same refs are a copy. */
const COMPARE = `
set -eu
there=$1/gitmouth.there here=$1/gitmouth.here
git -c 'safe.directory=*' ls-remote --refs "$2" "$3" > "$there"
git --git-dir="$1" for-each-ref --format='%(objectname)%09%(refname)' > "$here"
same=0
cmp -s "$there" "$here" || same=1
rm -f -- "$there" "$here"
exit "$same"
`;

/**
 * Copies all refs of a repository on this machine, and what they reach, into a new one: no config, no hooks, no
 * alternates. Runs in the sandbox, where the source is all there is beside the repository.
 *
 * @returns the branch that the source's HEAD names.
 */
export async function copyRefs(
  run: RunInRepository,
  repository: string,
  source: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const mounts = [{ hostPath: await folderOf(source), at: SOURCE }];
  const onBoth = async (argv: [string, ...string[]]): Promise<JobResult> =>
    run({ repository, access: 'write', argv, mounts }, signal);
  const head = await onBoth(['git', ...AS_SOURCE, 'ls-remote', '--symref', UPLOAD_PACK, SOURCE, 'HEAD']);
  check(head, source);
  const [git, ...fetch] = gitOn('fetch', '--quiet', '--no-write-fetch-head', '--no-auto-gc', '--no-tags', UPLOAD_PACK);
  check(await onBoth([git, ...AS_SOURCE, ...fetch, SOURCE, '+refs/*:refs/*']), source);
  const compared = await onBoth(['sh', '-c', COMPARE, 'compare', REPOSITORY, UPLOAD_PACK, SOURCE]);
  if (compared.code !== 0) throw importFailed(source, 'not all of its refs could be copied', compared.stderr);
  const branch = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(head.stdout)?.[1];
  return branch !== undefined && isBranchName(branch) ? branch : undefined;
}

async function folderOf(source: string): Promise<string> {
  try {
    const folder = await realpath(source);
    if ((await lstat(folder)).isDirectory()) {
      await refuseParts(source, folder);
      return folder;
    }
  } catch (error) {
    if (error instanceof PlatformError) throw error;
  }
  throw importFailed(source, 'there is no such folder');
}

/** What does not lie in the folder itself can't be seen from the sandbox. Said here, where the way out is known. */
async function refuseParts(source: string, folder: string): Promise<void> {
  const copy = `make a whole copy first (git clone --mirror --dissociate ${printable(source, 200)} COPY) and import that`;
  if (await isFile(join(folder, '.git'))) {
    throw importFailed(source, `it is a linked work tree or submodule; ${copy}`);
  }
  for (const git of [folder, join(folder, '.git')]) {
    if (await isFile(join(git, 'objects/info/alternates'))) {
      throw importFailed(source, `it borrows objects from another repository; ${copy}`);
    }
    if (await isFile(join(git, 'shallow'))) {
      throw importFailed(source, 'it is a shallow clone; complete it first (git fetch --unshallow)');
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

function check(result: JobResult, source: string): void {
  if (result.code !== 0) throw importFailed(source, `git ended with status ${result.code}`, result.stderr);
}

function importFailed(source: string, why: string, stderr = ''): PlatformError {
  const said = stderr
    .split('\n')
    .filter((line) => line !== '')
    .slice(-8)
    .map((line) => `\n  ${printable(line)}`);
  return new PlatformError('import-failed', `${printable(source, 200)} was not imported: ${why}.${said.join('')}`);
}
