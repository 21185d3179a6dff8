/** The use case with a memory adapter behind every port, a clock in the tester's hand, and a journal of who was called. */
import { getEventListeners } from 'node:events';
import { expect } from '@jest/globals';
import {
  MemoryAccessControl,
  MemoryAuthenticator,
  MemoryClientChannel,
  MemoryClock,
  MemoryObserver,
  MemoryPenalties,
  MemoryPlatform,
  MemoryProvisioner,
  MemoryRateLimiter,
  MemoryRepositoryLocks,
  MemoryLiveConnections,
  MemoryThrottle,
  MemoryTransport,
  type MemoryClient,
  type MemoryCommand,
} from '../../src/adapters/memory/index.js';
import { DynoSlots, type DynoSlotLimits } from '../../src/app/dyno-slots.js';
import { KeyLookups } from '../../src/app/key-lookups.js';
import { PenaltyBook } from '../../src/app/penalty-book.js';
import { ProofJudge, type ProofRules } from '../../src/app/proof-judge.js';
import { ServeGit } from '../../src/app/serve-git.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../src/domain/admission-policy.js';
import { NO_CERTIFICATES } from '../../src/domain/certificate-policy.js';
import type { Dyno } from '../../src/domain/dyno.js';
import type { LockMode } from '../../src/domain/lock-policy.js';
import type { Grant } from '../../src/domain/grant.js';
import { isRefusal } from '../../src/domain/refusal.js';
import { DEFAULT_PENALTY_RULES } from '../../src/domain/penalty-policy.js';
import { DEFAULT_TIME_LIMITS, type TimeLimits } from '../../src/domain/time-limits.js';
import type { Verdict } from '../../src/domain/verdict.js';
import type { AccessControl } from '../../src/ports/access-control.js';
import type { ClientChannel } from '../../src/ports/client-channel.js';
import type { Ask } from '../../src/ports/git-gateway.js';
import type { Provisioner } from '../../src/ports/provisioner.js';
import type { Lease, RepositoryLocks } from '../../src/ports/repository-locks.js';
import type { LiveConnection } from '../../src/ports/live-connections.js';
import type { Place } from '../../src/ports/throttle.js';
import type { DynoSession, Transport } from '../../src/ports/transport.js';
import { never, within } from '../../src/contracts/contract.js';
import { sampleCaller, sampleKey } from '../../src/contracts/samples.js';

/** Something a test has happen inside a call, before it is answered. */
export type Interlude = () => Promise<void> | void;

export type Call = 'authorize' | 'acquire' | 'provision' | 'open' | 'run' | 'close' | 'release';

/** What a client saw of its session, and its end. */
export class Visit {
  readonly client: MemoryClient;
  stdout = Buffer.alloc(0);
  stderr = '';

  constructor(
    readonly channel: ClientChannel,
    client: MemoryClient,
    readonly live: LiveConnection,
    readonly served: Promise<void>,
  ) {
    this.client = client;
    client.stdout.on('data', (chunk: Buffer) => (this.stdout = Buffer.concat([this.stdout, chunk])));
    client.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    for (const stream of [client.stdin, client.stdout, client.stderr]) stream.on('error', () => undefined);
  }

  /** How it came out, once everything was given back. */
  async exit(): Promise<Verdict['exit'] | undefined> {
    await within(this.served, 'the session to be served');
    return within(this.client.exit, 'the verdict');
  }
}

export class MemoryHouse {
  readonly journal: string[] = [];
  readonly clock = new MemoryClock();
  readonly platform = new MemoryPlatform();
  readonly key = sampleKey();
  readonly authenticator = new MemoryAuthenticator(this.platform);
  readonly access = new MemoryAccessControl(this.platform);
  readonly locks = new MemoryRepositoryLocks(this.clock);
  readonly provisioner = new MemoryProvisioner();
  readonly connections = new MemoryLiveConnections(this.platform);
  readonly observer = new MemoryObserver();
  /** How many places are taken, by what is counted. */
  readonly taken = new Map<string, number>();
  readonly throttle = new MemoryThrottle(this.taken);
  readonly penalties: MemoryPenalties;
  readonly rateLimiter = new MemoryRateLimiter();
  penaltyRules = DEFAULT_PENALTY_RULES;
  readonly transport: MemoryTransport;
  readonly serveGit: ServeGit;
  /** What the dyno runs. */
  command: MemoryCommand = async () => 0;
  /** Put before the answer of a call; throwing is the call's failure. */
  readonly before: Partial<Record<Call, Interlude>> = {};
  /** Calls that do not listen to the signal they get. */
  readonly deaf = new Set<Call>();
  /** Put over the grant that access control gives. */
  grantMore: Partial<Grant> = {};
  /** A link of another kind than the memory transport serves. */
  linkKind: 'memory' | 'process' = 'memory';
  /** Of the configuration; may change at any time, as by a reload. */
  lockMode: LockMode;
  /** Likewise. */
  proofRules: ProofRules = NO_CERTIFICATES;
  #sessions = 0;

  constructor(limits: Partial<TimeLimits & DynoSlotLimits> = {}, lockMode: LockMode = 'wait') {
    this.lockMode = lockMode;
    this.platform.register('alice', this.key);
    this.platform.createApp('shop', 'alice');
    this.transport = new MemoryTransport(() => (process) => this.command(process), this.clock);
    const allLimits = { ...DEFAULT_TIME_LIMITS, ...limits };
    this.penalties = new MemoryPenalties(this.clock);
    const proofs = new ProofJudge(() => this.proofRules, this.clock);
    this.serveGit = new ServeGit({
      proofs,
      lookups: new KeyLookups(this.authenticator, proofs, () => allLimits.lookupCacheMs, this.clock),
      accessControl: this.#accessControl(),
      locks: this.#repositoryLocks(),
      penaltyBook: new PenaltyBook({
        penalties: this.penalties,
        rateLimiter: this.rateLimiter,
        rules: () => this.penaltyRules,
        observer: this.observer,
        clock: this.clock,
      }),
      dynoSlots: new DynoSlots(this.throttle, () => ({ ...DEFAULT_ADMISSION_LIMITS, ...limits }), this.clock),
      provisioner: this.#dynoProvisioner(),
      transports: [this.#dynoTransport()],
      connections: this.connections,
      observer: {
        record: (event) => {
          this.journal.push(event.type);
          this.observer.record(event);
        },
      },
      clock: this.clock,
      newSessionId: () => `s-${++this.#sessions}`,
      limits: () => allLimits,
      lockMode: () => this.lockMode,
      server: 'gitmouth 1.2.3',
      appNames: 'plain',
    });
  }

  connect(user = 'alice', key = this.key): LiveConnection {
    return this.serveGit.admit(sampleCaller(user, key));
  }

  visit(ask: Ask, live: LiveConnection = this.connect()): Visit {
    const channel = new NotedChannel((call) => this.journal.push(call));
    return new Visit(channel, channel.client, live, this.serveGit.serve(live, ask, channel));
  }

  push(app = 'shop', live?: LiveConnection): Visit {
    return this.visit(command(`git-receive-pack '${app}.git'`), live);
  }

  fetch(app = 'shop', live?: LiveConnection): Visit {
    return this.visit(command(`git-upload-pack '${app}.git'`), live);
  }

  /** Takes every place for dynos, for somebody else; returns how to give them back without a word to anybody. */
  async fillWithDynos(): Promise<() => Promise<void>> {
    const places: Place[] = [];
    for (;;) {
      const place = await this.throttle.enter('dynos', 'all', DEFAULT_ADMISSION_LIMITS.dynos);
      if (place === undefined) break;
      places.push(place);
    }
    return async () => {
      for (const place of places) await place.leave();
    };
  }

  /** The one `session-ended` of a house with one session. */
  get ended() {
    const [only, ...more] = this.observer.ofType('session-ended');
    expect(more).toEqual([]);
    if (only === undefined) throw new Error('no session has ended');
    return only;
  }

  /** After every session: each dyno given back once, no lock, no process, no timer, no listener. */
  expectNothingHeld(...visits: Visit[]): void {
    expect(this.locks.leases()).toEqual([]);
    expect(this.provisioner.held()).toEqual([]);
    expect(this.taken).toEqual(new Map());
    expect(this.journal.filter((call) => call.startsWith('release '))).toHaveLength(this.provisioner.provisions.length);
    expect(this.transport.running()).toEqual([]);
    expect(this.connections.list().flatMap((live) => live.sessions())).toEqual([]);
    expect(this.clock.sleeping).toBe(0);
    for (const { channel, live } of visits) {
      expect(getEventListeners(channel.gone, 'abort')).toEqual([]);
      expect(getEventListeners(live.ended, 'abort')).toEqual([]);
    }
    const finished = this.journal.filter((call) => call === 'finish').length;
    expect(this.observer.ofType('session-ended')).toHaveLength(finished);
  }

  #heard(call: Call, signal: AbortSignal): AbortSignal {
    return this.deaf.has(call) ? never() : signal;
  }

  #accessControl(): AccessControl {
    return {
      authorize: async (session, signal) => {
        this.journal.push('authorize');
        await this.before.authorize?.();
        const answer = await this.access.authorize(session, this.#heard('authorize', signal));
        return isRefusal(answer) ? answer : { ...answer, ...this.grantMore };
      },
      list: (...asked) => this.access.list(...asked),
    };
  }

  #repositoryLocks(): RepositoryLocks {
    return {
      acquire: async (...given) => {
        this.journal.push('acquire');
        await this.before.acquire?.();
        const [app, holder, mode, waitMs, onWaiting, signal] = given;
        const heard = this.#heard('acquire', signal);
        const lease = await this.locks.acquire(app, holder, mode, waitMs, onWaiting, heard);
        return isRefusal(lease) ? lease : this.#noted(lease);
      },
      held: (signal) => this.locks.held(signal),
      free: (...asked) => this.locks.free(...asked),
    };
  }

  #noted(lease: Lease): Lease {
    return {
      app: lease.app,
      token: lease.token,
      recalled: lease.recalled,
      lost: lease.lost,
      graceMs: () => lease.graceMs(),
      release: async () => {
        this.journal.push('lease given back');
        for (const signal of [lease.recalled, lease.lost]) expect(getEventListeners(signal, 'abort')).toEqual([]);
        await lease.release();
      },
    };
  }

  #dynoProvisioner(): Provisioner {
    return {
      provision: async (grant, lease, session, signal) => {
        this.journal.push('provision');
        await this.before.provision?.();
        const dyno = await this.provisioner.provision(grant, lease, session, this.#heard('provision', signal));
        if (isRefusal(dyno) || this.linkKind === 'memory') return dyno;
        const plan = { service: grant.access === 'write' ? 'git-receive-pack' : 'git-upload-pack', access: 'read' };
        return { ...dyno, link: { kind: 'process', repository: '/', plan } } as Dyno;
      },
      release: async (dyno, outcome, usage) => {
        this.journal.push(`release while ${this.locks.leases().length} held`);
        await this.before.release?.();
        await this.provisioner.release(dyno, outcome, usage);
      },
    };
  }

  #dynoTransport(): Transport {
    const { kind, capabilities } = this.transport;
    return {
      kind,
      capabilities,
      open: async (dyno, signal) => {
        this.journal.push('open');
        await this.before.open?.();
        return this.#opened(await this.transport.open(dyno, this.#heard('open', signal)));
      },
    };
  }

  #opened(session: DynoSession): DynoSession {
    const { stdin, stdout, stderr } = session;
    const exit = (async () => {
      await this.before.run?.();
      return session.exit;
    })();
    exit.catch(() => undefined);
    return {
      ...{ stdin, stdout, stderr, exit },
      signal: (name) => {
        session.signal(name);
      },
      pause: () => {
        session.pause();
      },
      resume: () => {
        session.resume();
      },
      close: async (graceMs) => {
        await session.close(graceMs);
        await this.before.close?.();
        this.journal.push('close');
      },
    };
  }
}

class NotedChannel extends MemoryClientChannel {
  readonly #note: (call: string) => void;

  constructor(note: (call: string) => void) {
    super();
    this.#note = note;
  }

  override finish(verdict: Verdict): Promise<void> {
    this.#note('finish');
    return super.finish(verdict);
  }
}

export function command(text: string, gitProtocol?: string): Ask {
  return { kind: 'command', command: text, ...(gitProtocol === undefined ? {} : { gitProtocol }) };
}

/** A gate that a call waits at until it is opened. */
export function gate(): { readonly reached: Promise<void>; readonly wait: Interlude; open(): void } {
  let arrive: () => void = () => undefined;
  let open: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  const wait = () => {
    arrive();
    return opened;
  };
  return { reached, wait, open: () => open() };
}
