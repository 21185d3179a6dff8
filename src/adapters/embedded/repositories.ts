import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync, type Stats } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppName } from '../../domain/app-name.js';
import { Fault } from '../../domain/fault.js';
import { printable } from '../../domain/words/printable.js';
import type { Held } from './fences.js';
import { repositoryConfig, type RepositorySettings } from './repository-config.js';
import { copyRefs } from './repository-import.js';
import { headBranchOf, isAbsent, spoiledParts } from './repository-inspection.js';
import { headText, layOut } from './repository-layout.js';
import { mendingJob } from './repository-mending.js';
import { gitOn, REPOSITORY, type JobResult, type RepositoryJob, type RunInRepository } from './repository-run.js';

export interface RepositoriesOptions {
  readonly folder: string;
  readonly settings: RepositorySettings;
  readonly run: RunInRepository;
  /** For jobs that take as long as the repository is large; `run` by default. */
  readonly runLong?: RunInRepository;
  /** Whom repositories belong to, where the server itself is root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const DEFAULT_BRANCH = 'main';
const LEFTOVER = /^\.(?:new|trash)-([^.]+)\./;

/**
 * The bare repositories, at `<folder>/<app>.git`. Their content is never trusted: it is looked at without following
 * links, and changed by commands in the sandbox alone.
 */
export class Repositories {
  readonly #options: RepositoriesOptions;
  readonly #config: string;

  constructor(options: RepositoriesOptions) {
    this.#options = options;
    this.#config = repositoryConfig(options.settings);
  }

  path(app: string): string {
    if (!isAppName(app)) throw new Error(`no app can be named ${printable(app)}`);
    return join(this.#options.folder, `${app}.git`);
  }

  async exists(app: string): Promise<boolean> {
    return !(await isAbsent(this.path(app)));
  }

  /** One that is not its owner's, so that no job and no dyno could enter it; undefined when there is none. */
  foreign(): string | undefined {
    const { folder } = this.#options;
    const names = isThere(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')) : [];
    return names.map((name) => join(folder, name)).find((path) => !this.#isOwn(lstatSync(path)));
  }

  /** Makes an empty repository. Rejects when there is one. */
  async create(app: string, held: Held, branch = DEFAULT_BRANCH): Promise<void> {
    await this.#make(app, held, async (repository) => layOut(repository, this.#config, branch, this.#options.owner));
  }

  /**
   * Makes a repository that is a copy of another one on this machine; on failure nothing is left of it.
   * @returns the deployed branch, that of the source's HEAD.
   * @throws PlatformError `import-failed`.
   */
  async importFrom(app: string, source: string, held: Held, signal?: AbortSignal): Promise<string | undefined> {
    let branch: string | undefined;
    await this.#make(app, held, async (repository) => {
      await layOut(repository, this.#config, DEFAULT_BRANCH, this.#options.owner);
      branch = await copyRefs(this.#runLong, repository, source, signal);
      if (branch === undefined) return;
      const mending = { config: this.#config, head: headText(branch), sweep: false };
      await this.#do(mendingJob(repository, mending), this.#runLong, signal);
    });
    return branch;
  }

  /**
   * Called before each session: the repository is as it must be afterwards, whatever a hook has done to it. For a
   * writer, who holds the lock, what killed processes have left behind is gone too.
   *
   * @param branch what HEAD must name, where that is known.
   * @throws Fault (stage `provision`) when it can't be put right.
   */
  async ensureSound(app: string, access: 'read' | 'write', branch?: string, signal?: AbortSignal): Promise<void> {
    const repository = this.path(app);
    await this.#requireEntrance(app);
    const spoiled = await spoiledParts(repository, this.#config, branch);
    if (access === 'read' && spoiled.length === 0) return;
    const mending = {
      ...(spoiled.length > 0 ? { config: this.#config } : {}),
      ...(spoiled.includes('HEAD') ? { head: headText(branch ?? DEFAULT_BRANCH) } : {}),
      sweep: access === 'write',
    };
    await this.#do(mendingJob(repository, mending), this.#runLong, signal);
    if (spoiled.length === 0) return;
    const left = await spoiledParts(repository, this.#config, branch);
    if (left.length > 0) throw notSound(app, `still not as it must be: ${left.join(', ')}`);
  }

  /** Whether anything was ever pushed and is still there. */
  async hasRefs(app: string, signal?: AbortSignal): Promise<boolean> {
    return (await this.#git(app, signal, 'for-each-ref', '--count=1', '--format=%(refname)')).stdout !== '';
  }

  /** The branch HEAD names, provided that it exists. */
  async headBranch(app: string, signal?: AbortSignal): Promise<string | undefined> {
    const branch = await headBranchOf(this.path(app));
    if (branch === undefined) return undefined;
    const ref = `refs/heads/${branch}`;
    const { stdout } = await this.#git(app, signal, 'for-each-ref', '--format=%(refname)', ref);
    return stdout.split('\n').includes(ref) ? branch : undefined;
  }

  /** Takes the repository away at once; its files are deleted by `sweep`. Nothing to do when there is none. */
  retire(app: string): void {
    if (isThere(this.path(app))) renameSync(this.path(app), this.#beside('trash', app));
  }

  /** The apps of which an unfinished or a retired repository lies about. */
  async leftovers(): Promise<readonly string[]> {
    await this.#ensureFolder();
    const names = await readdir(this.#options.folder);
    return [...new Set(names.flatMap((name) => LEFTOVER.exec(name)?.[1] ?? []))];
  }

  /** Deletes what lies about of an app; only under its lock, since a repository that is being made lies there too. */
  async sweep(app: string, held: Held): Promise<void> {
    for (const name of held(() => readdirSync(this.#options.folder))) {
      if (LEFTOVER.exec(name)?.[1] === app) await this.#erase(join(this.#options.folder, name));
    }
  }

  async #make(app: string, held: Held, fill: (repository: string) => Promise<void>): Promise<void> {
    const path = this.path(app);
    await this.#ensureFolder();
    const unfinished = this.#beside('new', app);
    try {
      await fill(unfinished);
      held(() => {
        // A rename onto a folder succeeds if that is empty.
        if (isThere(path)) throw notSound(app, `there is something at ${path} already`);
        renameSync(unfinished, path);
      });
    } catch (error) {
      // What can't be deleted now lies about until the next start.
      await this.#erase(unfinished).catch(() => undefined);
      throw error;
    }
  }

  /** Passable for the dynos' user, who owns nothing but the repositories; listed by none but the server. */
  async #ensureFolder(): Promise<void> {
    const { folder, owner } = this.#options;
    if (await mkdir(folder, { recursive: true, mode: 0o700 })) await chmod(folder, owner ? 0o711 : 0o700);
  }

  #isOwn({ uid }: Stats): boolean {
    const { owner } = this.#options;
    return owner === undefined || uid === owner.uid;
  }

  #beside(what: 'new' | 'trash', app: string): string {
    return join(this.#options.folder, `.${what}-${app}.${randomBytes(8).toString('hex')}`);
  }

  async #requireEntrance(app: string): Promise<void> {
    const path = this.path(app);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw notSound(app, `there is no folder ${path}; restore it from a backup`);
    if (!this.#isOwn(found)) throw notSound(app, `${path} belongs to another user than dynos run as: chown -R`);
    // No job could enter it otherwise. The folder it lies in is ours: nobody can put a link in its place.
    if ((found.mode & 0o777) !== 0o700) await chmod(path, 0o700);
  }

  /** What a hook has left can be closed to its owner, or deeper than a path can be long: then from inside. */
  async #erase(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
    } catch {
      const script = 'chmod -R u+rwX -- "$1"; find "$1" -mindepth 1 -delete';
      await this.#do(
        { repository: path, access: 'write', argv: ['sh', '-c', script, 'erase', REPOSITORY] },
        this.#runLong,
      );
      await rm(path, { recursive: true, force: true });
    }
  }

  get #runLong(): RunInRepository {
    return this.#options.runLong ?? this.#options.run;
  }

  async #git(app: string, signal: AbortSignal | undefined, ...command: readonly string[]): Promise<JobResult> {
    return this.#do({ repository: this.path(app), access: 'read', argv: gitOn(...command) }, this.#options.run, signal);
  }

  async #do(job: RepositoryJob, run: RunInRepository, signal?: AbortSignal): Promise<JobResult> {
    const result = await run(job, signal);
    if (result.code === 0) return result;
    const said = printable(result.stderr.trim());
    throw new Fault('GM_REPOSITORY', 'provision', `a command on ${job.repository} ended with ${result.code}: ${said}`);
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function notSound(app: string, why: string): Fault {
  return new Fault('GM_REPOSITORY', 'provision', `The repository of '${app}': ${why}`);
}
