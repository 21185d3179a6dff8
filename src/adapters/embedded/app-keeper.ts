import { randomUUID } from 'node:crypto';
import { isRefusal } from '../../domain/refusal.js';
import { utc } from '../../domain/words/lines.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';
import type { Apps } from './apps.js';
import { PlatformError } from './platform-error.js';
import type { Repositories } from './repositories.js';

/** How long an operator's command waits for a push to end. */
const WAIT_MS = 30_000;

/** Apps and their repositories as one: made together, destroyed together, and put right after a crash. */
export class AppKeeper {
  readonly #apps: Apps;
  readonly #repositories: Repositories;
  readonly #locks: RepositoryLocks;
  readonly #waitMs: number;

  constructor(apps: Apps, repositories: Repositories, locks: RepositoryLocks, waitMs = WAIT_MS) {
    this.#apps = apps;
    this.#repositories = repositories;
    this.#locks = locks;
    this.#waitMs = waitMs;
  }

  /**
   * Makes an app with its repository: an empty one, or a copy of a repository on this machine.
   * @throws PlatformError.
   */
  async create(name: string, owner: string, source?: string, signal = never()): Promise<void> {
    this.#apps.requireFree(name, owner);
    await this.#locked(name, signal, async (inTime) => {
      await this.#refuseForeign(name);
      this.#apps.create(name, owner);
      try {
        if (source === undefined) await this.#repositories.create(name);
        const branch = source === undefined ? undefined : await this.#repositories.importFrom(name, source, inTime);
        this.#apps.settle(name, branch);
      } catch (error) {
        this.#apps.discard(name);
        throw error;
      }
    });
  }

  /**
   * Destroys an app with everything in it, once no push is running.
   * @throws PlatformError `no-such-app`, `app-busy`, `not-deleted`.
   */
  async destroy(name: string, signal = never()): Promise<void> {
    this.#apps.require(name);
    await this.#locked(name, signal, async () => {
      this.#apps.require(name);
      // In this order: a name must never be free for others while a repository lies under it.
      await this.#repositories.retire(name);
      this.#apps.remove(name);
      await this.#repositories.sweep(name).catch((cause: unknown) => {
        throw new PlatformError(
          'not-deleted',
          `'${name}' is destroyed, but not all of its files could be deleted: ${String(cause)}. ` +
            'The next start of the server tries again.',
          { cause },
        );
      });
    });
  }

  /** After a push, under its lock: an app without any ref is taken back, and the first branch is the deployed one. */
  async conclude(name: string): Promise<void> {
    const app = this.#apps.get(name);
    if (app === undefined || (!app.provisional && app.branch !== undefined)) return;
    if (!(await this.#repositories.exists(name))) return this.#apps.discard(name);
    // A hook of the push may have spoilt what git needs for the questions that follow.
    await this.#repositories.ensureSound(name, 'write', app.branch);
    if (await this.#repositories.hasRefs(name)) {
      this.#apps.settle(name, await this.#repositories.headBranch(name));
    } else if (app.provisional) {
      await this.takeBack(name);
    }
  }

  /** Undoes the making of a provisional app. */
  async takeBack(name: string): Promise<void> {
    await this.#repositories.retire(name);
    this.#apps.discard(name);
    await this.#repositories.sweep(name);
  }

  /**
   * At the start: what a crash has left unfinished is settled or taken back. Apps whose lock is held are being worked
   * on by another process and left to it.
   * @returns what could not be put right.
   */
  async recover(): Promise<readonly { readonly app: string; readonly error: unknown }[]> {
    const problems: { app: string; error: unknown }[] = [];
    const apps = new Set([...this.#apps.provisional(), ...(await this.#repositories.leftovers())]);
    for (const app of apps) {
      try {
        await this.#recoverOne(app);
      } catch (error) {
        problems.push({ app, error });
      }
    }
    return problems;
  }

  async #recoverOne(app: string): Promise<void> {
    const lease = await this.#locks.acquire(app, holder(), 'refuse', 0, () => undefined, never());
    if (isRefusal(lease)) return;
    try {
      await this.#repositories.sweep(app);
      if (this.#apps.get(app)?.provisional === true) await this.conclude(app);
    } finally {
      await lease.release();
    }
  }

  /** A database that was lost, a folder that was copied in: another's data must not come to belong to who asks next. */
  async #refuseForeign(name: string): Promise<void> {
    if (!(await this.#repositories.exists(name))) return;
    const path = this.#repositories.path(name);
    throw new PlatformError(
      'repository-exists',
      `There is a repository at ${path} that belongs to no app. Move it away; app create ${name} --import takes it in.`,
    );
  }

  /** @param work is given a signal that aborts when the lock must be let go, too. */
  async #locked(app: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const lease = await this.#locks.acquire(app, holder(), 'wait', this.#waitMs, () => undefined, signal);
    if (isRefusal(lease)) {
      throw new PlatformError(
        'app-busy',
        `'${app}' is being pushed to by ${lease.holder.user} since ${utc(lease.holder.since)}. Nothing was changed; ` +
          'try again when that has ended.',
      );
    }
    try {
      await work(AbortSignal.any([signal, lease.recalled, lease.lost]));
    } catch (error) {
      if (error !== lease.recalled.reason && error !== lease.lost.reason) throw error;
      throw new PlatformError('app-busy', `The lock of '${app}' was lost meanwhile. Nothing was changed; try again.`);
    } finally {
      await lease.release();
    }
  }
}

/** As those who wait for it are told. */
function holder(): { user: string; session: string; since: number } {
  return { user: 'the operator', session: randomUUID(), since: 0 };
}

function never(): AbortSignal {
  return new AbortController().signal;
}
