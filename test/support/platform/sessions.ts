/** The sessions of a small platform, and their dynos. */
import { randomUUID } from 'node:crypto';
import type { AuthorizeBody } from './people-and-apps.js';

export interface OpenBody extends AuthorizeBody {
  readonly session: string;
  readonly access: 'read' | 'write';
  readonly creates: boolean;
  readonly reference?: string;
  readonly lease_token?: number;
}

export interface EndBody {
  readonly session: string;
  readonly dyno: string | null;
  readonly outcome: { readonly kind: string };
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly phases_ms: Readonly<Record<string, number>>;
}

export interface LinkBody {
  readonly kind: 'ssh';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly host_key: string;
  readonly repository: string;
}

export interface DynoBody {
  readonly id: string;
  readonly link: LinkBody;
}

/** Makes the dyno of a session, and takes it back. */
export interface DynoMaker {
  /** How it is reached; undefined when there is no room. */
  open(request: OpenBody): Promise<LinkBody | undefined>;
  close?(dyno: string): Promise<void> | void;
}

/** One that nobody reaches. */
export const LINK: LinkBody = {
  kind: 'ssh',
  host: '127.0.0.1',
  port: 22,
  user: 'git',
  host_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFJ8KwYDk9mQpW6xqj1Zx3eD1r0bT2m4u5v6w7x8y9z0',
  repository: '/srv/repositories/shop.git',
};

export class Sessions {
  /** Dynos that have been made, all told. */
  made = 0;
  /** What was told of each session that has ended, every time. */
  readonly endings: EndBody[] = [];
  readonly #maker: DynoMaker;
  readonly #dynos = new Map<string, Promise<DynoBody | undefined>>();
  readonly #ended = new Set<string>();

  constructor(maker: DynoMaker = { open: async () => LINK }) {
    this.#maker = maker;
  }

  /** Sessions whose dyno was not given back. */
  get held(): readonly string[] {
    return [...this.#dynos.keys()];
  }

  /** The same dyno for the same session, however often it is asked for; `ended` when there is to be none any more. */
  async open(request: OpenBody): Promise<DynoBody | 'ended' | undefined> {
    const { session } = request;
    if (this.#ended.has(session)) return 'ended';
    const making = this.#dynos.get(session) ?? this.#make(request);
    this.#dynos.set(session, making);
    const dyno = await making;
    if (dyno === undefined) this.#dynos.delete(session);
    return this.#ended.has(session) ? 'ended' : dyno;
  }

  async end(ending: EndBody): Promise<void> {
    const { session } = ending;
    this.endings.push(ending);
    this.#ended.add(session);
    const dyno = await this.#dynos.get(session);
    if (!this.#dynos.delete(session) || dyno === undefined) return;
    await this.#maker.close?.(dyno.id);
  }

  async #make(request: OpenBody): Promise<DynoBody | undefined> {
    const link = await this.#maker.open(request);
    if (link === undefined) return undefined;
    this.made += 1;
    return { id: `dyno-${randomUUID()}`, link };
  }
}
