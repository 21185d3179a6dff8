import type { AlgorithmSet } from './algorithm-set.js';
import type { FaultCode, Stage } from './fault.js';
import type { GitProtocol, GitService } from './git-request.js';
import type { Offence } from './penalty-policy.js';
import type { TurnedAway } from './words/turned-away.js';

/**
 * Everything observable, as plain data. Texts from a client are raw here: an observer that prints them goes through
 * `printable`. No event carries a credential.
 */
export type DomainEvent =
  | {
      readonly type: 'server-started';
      readonly address: string;
      /** The other addresses, where it listens on several. */
      readonly alsoOn?: readonly string[];
      /** Where its health can be asked for, if anywhere. */
      readonly health?: string;
      /** As `ssh-ed25519 SHA256:…`; `(next)` follows those that clients are only told of. */
      readonly hostKeys: readonly string[];
      /** Who knows users and apps: `embedded`, or the kind of a platform elsewhere. */
      readonly platform: string;
      /** How dynos are isolated, where they run on this machine. */
      readonly sandbox?: string;
      /** Modules of the operator's own that take part, where there are any. */
      readonly adapters?: readonly string[];
    }
  | {
      readonly type: 'server-draining';
      readonly sessions: number;
      readonly drainMs: number;
      /** How long everything is served still, before the listener closes. */
      readonly delayMs: number;
    }
  | {
      readonly type: 'config-reloaded';
      /** The settings that are other ones than before, by name: their values may be secret. */
      readonly changed: readonly string[];
      /** Those that are written anew, and hold from the next start on alone. */
      readonly needRestart: readonly string[];
    }
  | {
      /** After a reload, for connections that come from then on. */
      readonly type: 'host-keys-changed';
      /** As in `server-started`. */
      readonly hostKeys: readonly string[];
    }
  | { readonly type: 'server-stopped' }
  | {
      readonly type: 'connection-opened';
      readonly connection: string;
      readonly address: string;
      readonly port: number;
      /** The proxy that has told whose connection it is, where one has. */
      readonly via?: string;
    }
  | {
      readonly type: 'connection-closed';
      readonly connection: string;
      readonly address: string;
      /** The user who had logged in, if any. */
      readonly user?: string;
      readonly durationMs: number;
      /** Why this door ended it, when it did. */
      readonly reason?: TurnedAway;
      /** Until when strangers from this address have fewer tries, where this one had. */
      readonly restrictedUntil?: number;
    }
  | {
      /** Connections that were not let in: the first at once, then a count of those that followed. */
      readonly type: 'connections-refused';
      readonly reason: TurnedAway;
      readonly count: number;
      /** Of the first. */
      readonly address?: string;
    }
  | {
      /** Client and server could agree on nothing: no connection came about. */
      readonly type: 'no-common-algorithm';
      readonly connection: string;
      readonly address: string;
      readonly software: string;
      /** What they share none of: `key exchange algorithm`, `host key format`, `cipher`, `MAC`, `compression`. */
      readonly lacking: string;
      /** What the server offers. */
      readonly algorithms: AlgorithmSet;
    }
  | {
      readonly type: 'login-succeeded';
      readonly connection: string;
      readonly address: string;
      readonly user: string;
      /** Of the key, also where a certificate was shown. */
      readonly fingerprint: string;
      readonly certificate?: CertificateFacts;
      readonly software: string;
      readonly login: string;
      /** How the keys of this connection were exchanged, as `mlkem768x25519-sha256`. */
      readonly keyExchange?: string;
    }
  | {
      readonly type: 'login-failed';
      readonly connection: string;
      readonly address: string;
      readonly login: string;
      readonly software: string;
      /**
       * A closed set of words: `unknown-key`, `bad-signature`, … At the end of a connection that failed in no other way
       * than that what it offered was refused, it is `no-login`, or why the last certificate or key was: `key-revoked`,
       * `certificate-expired`, …
       */
      readonly reason: string;
      readonly fingerprint?: string;
    }
  | {
      /** Penalties of one subject have reached what they are enforced from. */
      readonly type: 'penalty-began';
      /** As `subjectText` has it: an address, `user:NAME`, a fingerprint. */
      readonly subject: string;
      /** What was done last. */
      readonly offence: Offence;
      /** When it has run off, if nothing more is added; in milliseconds since the epoch. */
      readonly until: number;
    }
  | {
      /** One per request, whatever became of it. */
      readonly type: 'session-ended';
      readonly connection: string;
      readonly session: string;
      readonly address: string;
      readonly software: string;
      readonly user: string;
      readonly fingerprint: string;
      /** Absent when the command named no app. */
      readonly app?: string;
      readonly service?: GitService;
      readonly protocol?: GitProtocol;
      readonly bytesIn: number;
      readonly bytesOut: number;
      /** Time spent in each phase, in milliseconds; a phase that was not reached is absent. */
      readonly phasesMs: Readonly<Partial<Record<Phase, number>>>;
      readonly durationMs: number;
      readonly verdict: string;
      readonly exit: number | string;
      readonly fault?: FaultFacts;
    }
  | { readonly type: 'fault'; readonly fault: FaultFacts; readonly connection?: string; readonly session?: string }
  | {
      /** A bug that was contained, or a condition an operator should look at. */
      readonly type: 'problem';
      readonly message: string;
      readonly connection?: string;
      readonly session?: string;
      readonly error?: unknown;
    };

/** Parts of a session's life, in their order. */
export type Phase = 'authorize' | 'lock' | 'queue' | 'provision' | 'connect' | 'run' | 'release';

/** What a log keeps of a certificate. */
export interface CertificateFacts {
  readonly keyId: string;
  /** In decimal digits: there are 64 bits of it. */
  readonly serial: string;
  /** Fingerprint of the key that signed it. */
  readonly authority: string;
  /** In milliseconds since the epoch, itself excluded; absent for ever. */
  readonly validBefore?: number;
}

export interface FaultFacts {
  readonly code: FaultCode | 'GM_BUG';
  readonly stage: Stage | 'unknown';
  readonly message: string;
  readonly cause?: string;
}
