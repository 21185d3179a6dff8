import type { LockRecall } from '../../domain/lock-policy.js';
import type { Clock } from '../../ports/clock.js';
import type { HeldLock } from '../../ports/repository-locks.js';
import type { LockTable, Standing, TableAnswer, Ticket } from '../leases/lock-table.js';
import { asking } from './asking.js';
import type { Database } from './database.js';
import { LeaseRows, type LeaseRow } from './lease-rows.js';
import { WaiterRows } from './waiter-rows.js';

/** The locks of all processes on one database. */
export class SqliteLockTable implements LockTable {
  readonly #db: Database;
  readonly #leases: LeaseRows;
  readonly #waiters: WaiterRows;

  constructor(db: Database, clock: Pick<Clock, 'now'>, leaseMs: number) {
    this.#db = db;
    this.#leases = new LeaseRows(db, clock, leaseMs);
    this.#waiters = new WaiterRows(db, clock);
  }

  async ask(app: string, ticket: Ticket): Promise<TableAnswer> {
    return asking('lock', () => this.#glance(app, ticket) ?? this.#whole(() => this.#turnOf(app, ticket)));
  }

  async leave(app: string, ticket: Ticket): Promise<void> {
    asking('lock', () => {
      if (ticket.mode !== 'refuse') this.#waiters.remove(app, ticket.id);
    });
  }

  async check(app: string, token: number, extend: boolean): Promise<Standing | undefined> {
    return asking('lock', () => {
      const lease = extend ? this.#leases.renew(app, token) : this.#leases.standing(app, token);
      if (lease === undefined) return undefined;
      return lease.recall === null ? {} : { recall: lease.recall };
    });
  }

  async remove(app: string, token: number): Promise<void> {
    asking('lock', () => {
      this.#leases.remove(app, token);
    });
  }

  async held(): Promise<readonly HeldLock[]> {
    return asking('lock', () => this.#leases.all().map(lockOf));
  }

  async recall(app: string, reason: LockRecall): Promise<HeldLock | undefined> {
    return asking('lock', () =>
      this.#whole(() => {
        const lease = this.#leases.present(app);
        if (lease === undefined) return undefined;
        this.#leases.recall(app, lease.token, reason);
        return lockOf(lease);
      }),
    );
  }

  #whole<T>(work: () => T): T {
    return this.#db.transaction(work).immediate();
  }

  /** Most who ask while it is held shall not wait for the right to write. */
  #glance(app: string, ticket: Ticket): TableAnswer | undefined {
    const lease = this.#leases.present(app);
    if (lease === undefined || (ticket.mode === 'supersede' && lease.recall === null)) return undefined;
    const turn = ticket.mode === 'refuse' ? undefined : this.#waiters.freshTurn(app, ticket.id);
    if (ticket.mode !== 'refuse' && turn === undefined) return undefined;
    return { kind: 'held', holder: lockOf(lease).holder, turn };
  }

  #turnOf(app: string, ticket: Ticket): TableAnswer {
    const turn = ticket.mode === 'refuse' ? undefined : this.#waiters.enter(app, ticket);
    const lease = this.#leases.present(app);
    if (lease !== undefined) {
      if (ticket.mode === 'supersede') this.#leases.recall(app, lease.token, 'superseded');
      return { kind: 'held', holder: lockOf(lease).holder, turn };
    }
    const first = this.#waiters.first(app);
    if (first !== undefined && first.ticket !== ticket.id) {
      return { kind: 'promised', to: { user: first.user, session: first.session, since: first.turn }, turn };
    }
    this.#waiters.remove(app, ticket.id);
    return { kind: 'taken', token: this.#leases.take(app, ticket.user, ticket.session) };
  }
}

function lockOf({ app, token, user, session, since, expiresAt }: LeaseRow): HeldLock {
  return { app, token, holder: { user, session, since }, expiresAt };
}
