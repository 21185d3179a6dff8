import type { Dyno } from '../../domain/dyno.js';
import { isRefusal } from '../../domain/refusal.js';
import type { Provisioner } from '../../ports/provisioner.js';
import type { RepositoryLocks } from '../../ports/repository-locks.js';
import type { Transport } from '../../ports/transport.js';

/** What dynos are made, reached and given back by, all of one configuration. */
export interface DynoMaker {
  readonly transport: Transport;
  /** The same each time. */
  provisioner(locks: RepositoryLocks): Provisioner;
}

/** Dynos by the configuration that holds when they are made: each is opened and given back by the maker it is of. */
export class DynosInTurn {
  #maker: DynoMaker;
  readonly #makers = new Map<Dyno['id'], DynoMaker>();

  constructor(maker: DynoMaker) {
    this.#maker = maker;
  }

  /** From now on dynos are made by this one. */
  use(maker: DynoMaker): void {
    this.#maker = maker;
  }

  provisioner(locks: RepositoryLocks): Provisioner {
    return {
      provision: async (...asked) => {
        const maker = this.#maker;
        const dyno = await maker.provisioner(locks).provision(...asked);
        if (!isRefusal(dyno)) this.#makers.set(dyno.id, maker);
        return dyno;
      },
      release: async (dyno, ...how) => {
        const maker = this.#makerOf(dyno);
        this.#makers.delete(dyno.id);
        await maker.provisioner(locks).release(dyno, ...how);
      },
    };
  }

  transport(): Transport {
    const { kind, capabilities } = this.#maker.transport;
    return { kind, capabilities, open: (dyno, signal) => this.#makerOf(dyno).transport.open(dyno, signal) };
  }

  /** One that somebody else has made, an adapter of the operator's own, is nobody's: it is served as new ones are. */
  #makerOf({ id }: Dyno): DynoMaker {
    return this.#makers.get(id) ?? this.#maker;
  }
}
