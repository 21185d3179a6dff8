/** Sessions as the use case brings them to the provisioner, and the pushes in between. */
import { openDatabase } from '../../../src/adapters/sqlite/database.js';
import { EmbeddedPlatform } from '../../../src/adapters/embedded/platform.js';
import { EmbeddedProvisioner } from '../../../src/adapters/embedded/embedded-provisioner.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import type { Grant } from '../../../src/domain/grant.js';
import { isRefusal, type Refusal } from '../../../src/domain/refusal.js';
import type { Lease } from '../../../src/ports/repository-locks.js';
import { never } from '../../../src/contracts/contract.js';
import type { Order } from '../../../src/contracts/provisioner.js';
import { sampleCaller, sampleSession } from '../../../src/contracts/samples.js';
import { git, sampleWork, type House } from './house.js';

export interface Pushing {
  readonly dyno: Dyno;
  readonly lease: Lease;
}

export function grantOf(app: string, access: 'read' | 'write', creates = false): Grant {
  return { app, access, lockMode: 'wait', creates };
}

export function orderOf(user: string, grant: Grant, lease?: Lease): Order {
  const service = grant.access === 'write' ? 'git-receive-pack' : 'git-upload-pack';
  return { grant, lease, session: sampleSession(sampleCaller(user), service, grant.app) };
}

export async function leaseOn({ locks }: House, app: string, user = 'alice'): Promise<Lease> {
  const holder = { user, session: `s-${user}`, since: 0 };
  const lease = await locks.acquire(app, holder, 'wait', 60_000, () => undefined, never());
  if (isRefusal(lease)) throw new Error('busy');
  return lease;
}

/** What is unfinished: provisional apps in the database, folders in the making or on their way out. */
export async function unfinished(house: House): Promise<readonly string[]> {
  const db = openDatabase(house.file);
  try {
    const provisional = new EmbeddedPlatform(db).apps.provisional();
    return [...provisional, ...(await house.repositories.leftovers()).map((app) => `files of ${app}`)];
  } finally {
    db.close();
  }
}

/** Those who push to the apps of a house. */
export class Pushers {
  readonly provisioner: EmbeddedProvisioner;
  readonly #house: House;

  constructor(house: House, appLimit: number) {
    this.#house = house;
    this.provisioner = new EmbeddedProvisioner(
      house.platform.apps,
      house.repositories,
      house.keeper,
      house.fences,
      appLimit,
    );
  }

  provision(user: string, grant: Grant, lease?: Lease): Promise<Dyno | Refusal> {
    const order = orderOf(user, grant, lease);
    return this.provisioner.provision(order.grant, order.lease, order.session, never());
  }

  /** Takes the lock and provisions, as a push that creates its app. */
  async begin(user: string, app: string): Promise<Pushing> {
    const lease = await leaseOn(this.#house, app, user);
    const dyno = await this.provision(user, grantOf(app, 'write', true), lease);
    if (isRefusal(dyno)) throw new Error(`refused: ${dyno.kind}`);
    return { dyno, lease };
  }

  async finish({ dyno, lease }: Pushing): Promise<void> {
    await this.provisioner.release(dyno, { kind: 'ran', exit: { kind: 'code', code: 0 } });
    await lease.release();
  }

  /** Puts a branch into the repository, and HEAD on it as the dispatcher of hooks does for the first one. */
  push(app: string, branch: string): void {
    const repository = this.#house.repositories.path(app);
    git(sampleWork(branch), 'push', '--quiet', repository, branch);
    git(repository, 'symbolic-ref', 'HEAD', `refs/heads/${branch}`);
  }
}
