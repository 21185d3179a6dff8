import type { AdmissionLimits } from '../../domain/admission-policy.js';
import type { KeepaliveLimits } from './keepalive.js';
import type { VariablesWay } from './start-command.js';
import type { SshLink } from './target.js';

const MIB = 1024 ** 2;

/** What the guard holds a dyno to. */
type GuardLimits = Pick<
  AdmissionLimits,
  'keyExchangeMs' | 'rekeyBytes' | 'rekeyMs' | 'rekeysPerMinute' | 'unreadBytes' | 'unreadBytesBeforeLogin' | 'unreadMs'
>;

export type ConnectionLimits = GuardLimits & KeepaliveLimits;

export interface SshDynoSettings extends KeepaliveLimits, Partial<GuardLimits> {
  /** What gitmouth logs in to dynos with: a private key without a passphrase, Ed25519 or ECDSA, as text. */
  readonly clientKey: string;
  readonly variables: VariablesWay;
  /** From the first packet until git runs. */
  readonly connectMs: number;
  /** From TERM to KILL. */
  readonly graceMs: number;
  /** What runs in place of git's command, for tests of how commands end. */
  readonly commandOf?: (link: SshLink) => string;
}

export const DEFAULT_SSH_DYNO_LIMITS = {
  connectMs: 15_000,
  keepaliveMs: 15_000,
  keepaliveMisses: 3,
  graceMs: 5_000,
} as const;

/** Nothing honest comes near any of these. */
export const GUARD_LIMITS: GuardLimits = {
  keyExchangeMs: 30_000,
  rekeyBytes: 1024 * MIB,
  rekeyMs: 3_600_000,
  rekeysPerMinute: 10,
  unreadBytes: 2 * MIB,
  unreadBytesBeforeLogin: 256 * 1024,
  unreadMs: 120_000,
};
