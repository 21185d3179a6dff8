import { randomUUID } from 'node:crypto';
import type { Dyno, Fence } from '../../domain/dyno.js';
import { planDyno } from '../../domain/dyno-policy.js';
import { Fault, isFault, type Stage } from '../../domain/fault.js';
import type { Grant } from '../../domain/grant.js';
import { isRefusal, type Refusal } from '../../domain/refusal.js';
import type { Session } from '../../domain/session.js';
import type { Outcome } from '../../domain/verdict.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { Lease } from '../../ports/repository-locks.js';
import type { AppKeeper } from './app-keeper.js';
import type { AppRecord, Apps } from './apps.js';
import { asking, isDatabaseError } from '../sqlite/asking.js';
import type { Fences } from './fences.js';
import type { Repositories } from './repositories.js';

/** What a writer holds; a reader nothing. */
interface Writing {
  readonly lease: Lease | undefined;
  readonly fence: Fence | undefined;
}

/** Dynos as processes on this machine, to be started by the transport: here their repository is made ready. */
export class EmbeddedProvisioner implements Provisioner {
  readonly #apps: Apps;
  readonly #repositories: Repositories;
  readonly #keeper: AppKeeper;
  readonly #fences: Fences;
  readonly #appLimit: number;
  readonly #writers = new Map<string, Lease>();

  /** @param appLimit how many apps a user may own by pushing. */
  constructor(apps: Apps, repositories: Repositories, keeper: AppKeeper, fences: Fences, appLimit: number) {
    this.#apps = apps;
    this.#repositories = repositories;
    this.#keeper = keeper;
    this.#fences = fences;
    this.#appLimit = appLimit;
  }

  async provision(
    grant: Grant,
    lease: Lease | undefined,
    session: Session,
    signal: AbortSignal,
  ): Promise<Dyno | Refusal> {
    signal.throwIfAborted();
    try {
      // Before anything that a dyno of an earlier lease could still spoil.
      const fence = lease && this.#fences.raise(grant.app, lease.token);
      if (grant.creates) await this.#refuseForeign(grant.app);
      const app = this.#appOf(grant, lease, session);
      if (isRefusal(app)) return app;
      await this.#makeReady(app, grant, lease, signal);
      return this.#dyno(app, grant, { lease, fence }, session);
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error, 'provision', grant.app);
    }
  }

  async release(dyno: Dyno, _outcome: Outcome): Promise<void> {
    const lease = this.#writers.get(dyno.id);
    if (lease === undefined) return;
    this.#writers.delete(dyno.id);
    if (lease.lost.aborted) return;
    try {
      await this.#keeper.conclude(lease.app, lease);
    } catch (error) {
      // Whoever has the lock now writes, and does this when they end.
      if (error === lease.lost.reason || (isFault(error) && error.code === 'GM_LEASE_LOST')) return;
      throw faultOf(error, 'release', lease.app);
    }
  }

  /** A writer's as one with its fence: who stood still makes no app for another to find. */
  #appOf(grant: Grant, lease: Lease | undefined, session: Session): AppRecord | Refusal {
    const found = () => (grant.creates ? this.#claim(grant, session) : this.#find(grant, session));
    if (lease === undefined) return asking('provision', found);
    return this.#fences.within(grant.app, lease.token, found);
  }

  /** A database that was lost, say: another's repository must not come to belong to whoever pushes to its name. */
  async #refuseForeign(app: string): Promise<void> {
    if (asking('provision', () => this.#apps.get(app)) || !(await this.#repositories.exists(app))) return;
    const path = this.#repositories.path(app);
    throw new Fault('GM_REPOSITORY', 'provision', `${path} belongs to no app; move it away, or import it (app create)`);
  }

  /** The app of a push that found none when it was authorized. Under the lock, which may have taken a while. */
  #claim({ app, access }: Grant, session: Session): AppRecord | Refusal {
    const user = session.caller.user.name;
    const answer = this.#apps.createOnPush(app, user, this.#appLimit);
    if (answer === 'no-such-user') return { kind: 'key-removed' };
    if (answer === 'too-many-apps') return { kind: 'too-many-apps', app, limit: this.#appLimit };
    if (answer === 'created') return this.#apps.require(app);
    return mayUse(answer, user, access) ? answer : noAccess(session);
  }

  /** Who waited long for the lock may find the app destroyed, or another's under the same name. */
  #find({ app, access }: Grant, session: Session): AppRecord | Refusal {
    const record = this.#apps.get(app);
    return record && mayUse(record, session.caller.user.name, access) ? record : noAccess(session);
  }

  async #makeReady(app: AppRecord, grant: Grant, lease: Lease | undefined, signal: AbortSignal): Promise<void> {
    const maker = app.provisional && !(await this.#repositories.exists(app.name)) ? lease : undefined;
    try {
      if (maker !== undefined) {
        await this.#repositories.create(app.name, (work) => this.#fences.within(app.name, maker.token, work));
      }
      await this.#repositories.ensureSound(app.name, grant.access, app.branch, signal);
      signal.throwIfAborted();
    } catch (error) {
      // The first error says more than one of taking back; what stays provisional is taken back at the next start.
      if (maker !== undefined) await this.#keeper.takeBack(app.name, maker).catch(() => undefined);
      throw error;
    }
  }

  #dyno(app: AppRecord, grant: Grant, { lease, fence }: Writing, session: Session): Dyno {
    const id = randomUUID();
    if (lease !== undefined) this.#writers.set(id, lease);
    const { branch: _asGranted, ...rest } = grant;
    const plan = planDyno(session, app.branch === undefined ? rest : { ...rest, branch: app.branch });
    const repository = this.#repositories.path(app.name);
    return { id, link: { kind: 'process', repository, plan, ...(fence === undefined ? {} : { fence }) } };
  }
}

function mayUse(app: AppRecord, user: string, access: 'read' | 'write'): boolean {
  if (app.owner === user) return true;
  const shared = app.shares.find((share) => share.user === user)?.access;
  return shared === 'write' || (shared === 'read' && access === 'read');
}

function noAccess({ request }: Session): Refusal {
  return { kind: 'no-access', app: request.app, service: request.service };
}

function faultOf(error: unknown, stage: Stage, app: string): Fault {
  if (isFault(error) && error.stage === stage) return error;
  const said = error instanceof Error ? error.message : String(error);
  const code = isFault(error) ? error.code : isDatabaseError(error) ? 'GM_UNAVAILABLE' : 'GM_REPOSITORY';
  return new Fault(code, stage, `The repository of '${app}': ${said}`, { cause: error });
}
