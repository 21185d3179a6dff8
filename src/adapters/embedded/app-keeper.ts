import { randomUUID } from 'node:crypto';
import { isFault } from '../../domain/fault.js';
import { isRefusal } from '../../domain/refusal.js';
import { utc } from '../../domain/words/lines.js';
import type { Lease, RepositoryLocks } from '../../ports/repository-locks.js';
import type { Apps } from './apps.js';
import type { Fences, Held } from './fences.js';
import { PlatformError } from './platform-error.js';
import type { Repositories } from './repositories.js';

/** How long an operator's command waits for a push to end. */
const WAIT_MS = 30_000;

/** Apps and their repositories as one: made together, destroyed together, and put right after a crash. */
export class AppKeeper {
  readonly #apps: Apps;
  readonly #repositories: Repositories;
  readonly #fences: Fences;
  readonly #locks: RepositoryLocks;
  readonly #waitMs: number;

  constructor(apps: Apps, repositories: Repositories, fences: Fences, locks: RepositoryLocks, waitMs = WAIT_MS) {
    this.#apps = apps;
    this.#repositories = repositories;
    this.#fences = fences;
    this.#locks = locks;
    this.#waitMs = waitMs;
  }

  /**
   * Makes an app with its repository: an empty one, or a copy of a repository on this machine.
   * @throws PlatformError.
   */
  async create(name: string, owner: string, source?: string, signal = never()): Promise<void> {
    this.#apps.requireFree(name, owner);
    await this.#locked(name, signal, async (lease, inTime) => {
      const held = this.#heldBy(lease);
      await this.#refuseForeign(name);
      held(() => this.#apps.create(name, owner));
      try {
        const branch = await this.#fill(name, source, held, inTime);
        held(() => this.#apps.settle(name, branch));
      } catch (error) {
        // The first error says more than one of taking back; what stays provisional is taken back at the next start.
        await this.takeBack(name, lease).catch(() => undefined);
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
    await this.#locked(name, signal, async (lease) => {
      const held = this.#heldBy(lease);
      held(() => {
        this.#apps.require(name);
        // In this order: a name must never be free for others while a repository lies under it.
        this.#repositories.retire(name);
        this.#apps.remove(name);
      });
      await this.#repositories.sweep(name, held).catch((cause: unknown) => {
        throw new PlatformError(
          'not-deleted',
          `'${name}' is destroyed, but not all of its files could be deleted: ${String(cause)}. ` +
            'The next start of the server tries again.',
          { cause },
        );
      });
    });
  }

  /**
   * After a push, under its lock: an app without any ref is taken back, and the first branch is the deployed one.
   * @throws Fault `GM_LEASE_LOST`, or the lease's Departure, when another has the lock by now; nothing is changed then.
   */
  async conclude(name: string, lease: Lease, signal = never()): Promise<void> {
    const held = this.#heldBy(lease);
    const ended = AbortSignal.any([lease.lost, signal]);
    const app = this.#apps.get(name);
    if (app === undefined || (!app.provisional && app.branch !== undefined)) return;
    if (!(await this.#repositories.exists(name))) return void held(() => this.#apps.discard(name));
    // A hook of the push may have spoilt what git needs for the questions that follow.
    this.#fences.raise(name, lease.token);
    await this.#repositories.ensureSound(name, 'write', app.branch, ended);
    if (await this.#repositories.hasRefs(name, ended)) {
      const branch = await this.#repositories.headBranch(name, ended);
      held(() => this.#apps.settle(name, branch));
    } else if (app.provisional) {
      await this.takeBack(name, lease);
    }
  }

  /**
   * Undoes the making of an app that is provisional still.
   * @throws Fault `GM_LEASE_LOST` when another has the lock by now: what lies there may be theirs.
   */
  async takeBack(name: string, lease: Lease): Promise<void> {
    const held = this.#heldBy(lease);
    const isTakenBack = held(() => {
      if (!this.#apps.discard(name)) return false;
      this.#repositories.retire(name);
      return true;
    });
    if (isTakenBack) await this.#repositories.sweep(name, held);
  }

  /**
   * At the start: what a crash has left unfinished is settled or taken back. Apps whose lock is held are being worked
   * on by another process and left to it, as all are that are left when the signal aborts.
   * @returns what could not be put right.
   */
  async recover(signal = never()): Promise<readonly { readonly app: string; readonly error: unknown }[]> {
    const problems: { app: string; error: unknown }[] = [];
    const apps = new Set([...this.#apps.provisional(), ...(await this.#repositories.leftovers())]);
    for (const app of apps) {
      try {
        if (!signal.aborted) await this.#recoverOne(app, signal);
      } catch (error) {
        if (!signal.aborted) problems.push({ app, error });
      }
    }
    return problems;
  }

  async #recoverOne(app: string, signal: AbortSignal): Promise<void> {
    const lease = await this.#locks.acquire(app, holder(), 'refuse', 0, () => undefined, signal);
    if (isRefusal(lease)) return;
    try {
      await this.#repositories.sweep(app, this.#heldBy(lease));
      if (this.#apps.get(app)?.provisional === true) await this.conclude(app, lease, signal);
    } finally {
      await lease.release();
    }
  }

  #heldBy({ app, token }: Lease): Held {
    return (work) => this.#fences.within(app, token, work);
  }

  /** @returns the deployed branch. */
  async #fill(name: string, source: string | undefined, held: Held, signal: AbortSignal): Promise<string | undefined> {
    if (source !== undefined) return this.#repositories.importFrom(name, source, held, signal);
    await this.#repositories.create(name, held);
    return undefined;
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
  async #locked(
    app: string,
    signal: AbortSignal,
    work: (lease: Lease, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const lease = await this.#locks.acquire(app, holder(), 'wait', this.#waitMs, () => undefined, signal);
    if (isRefusal(lease)) {
      throw new PlatformError(
        'app-busy',
        `'${app}' is being pushed to by ${lease.holder.user} since ${utc(lease.holder.since)}. Nothing was changed; ` +
          'try again when that has ended.',
      );
    }
    try {
      await work(lease, AbortSignal.any([signal, lease.recalled, lease.lost]));
    } catch (error) {
      const isFencedOut = isFault(error) && error.code === 'GM_LEASE_LOST';
      if (!isFencedOut && error !== lease.recalled.reason && error !== lease.lost.reason) throw error;
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
