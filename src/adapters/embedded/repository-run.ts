/** Where a command on a repository finds it; stands for it in `argv`, also in a path below it and after a `=`. */
export const REPOSITORY = '/repository';

/** A command of gitmouth's own on one repository, to be run where its hooks run: the content can't be trusted. */
export interface RepositoryJob {
  /** The bare repository on this machine. */
  readonly repository: string;
  readonly access: 'read' | 'write';
  readonly argv: readonly [string, ...string[]];
  /** Folders of this machine that it can read, each at a path that stands for it in `argv` as REPOSITORY does. */
  readonly mounts?: readonly { readonly hostPath: string; readonly at: string }[];
}

export interface JobResult {
  /** 128 + n when it died by signal n. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, without input or network. Rejects with the signal's reason when it aborts, and otherwise
 * only when the command could not be run.
 */
export type RunInRepository = (job: RepositoryJob, signal?: AbortSignal) => Promise<JobResult>;

/** Git on the repository, deaf to hooks. The repository is named, not searched for: no other one can be found. */
export function gitOn(...command: readonly string[]): [string, ...string[]] {
  return ['git', '-c', 'core.hooksPath=/dev/null', `--git-dir=${REPOSITORY}`, ...command];
}
