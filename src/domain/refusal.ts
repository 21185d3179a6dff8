import type { CertificateProblem } from './certificate-policy.js';
import type { DynosFull } from './dyno-queue.js';
import type { GitService } from './git-request.js';
import type { LockHolder } from './lock-policy.js';
import type { Offence } from './penalty-policy.js';

/** Why a platform says no, as far as logs and metrics need to tell it. */
export type PlatformReason = 'maintenance' | 'read-only' | 'renamed' | 'suspended' | 'limit' | 'other';

/** An expected no: a rule of the platform or of this door, told to the user in a precise sentence. Exit status 1. */
export type Refusal =
  /** No user holds this key. */
  | { readonly kind: 'unknown-key' }
  /** The key was proven on this connection, but its user or the key itself has been removed since. */
  | { readonly kind: 'key-removed' }
  /** An operator has revoked the key. */
  | { readonly kind: 'key-revoked' }
  /** A trusted authority has signed the certificate, and it makes nobody its holder all the same. */
  | { readonly kind: 'certificate'; readonly problem: CertificateProblem }
  /** The certificate is for one command alone, and this was another. */
  | { readonly kind: 'forced-command'; readonly forced: string }
  /** An operator enforces one SSH login name, and this was another. */
  | { readonly kind: 'wrong-login'; readonly expected: string }
  /** Not one of git's commands. */
  | { readonly kind: 'invalid-command'; readonly command: string }
  /** One of git's commands, but what follows cannot name an app. */
  | { readonly kind: 'invalid-path'; readonly command: string }
  /** Git LFS over SSH; git-lfs falls back to HTTP when told no. */
  | { readonly kind: 'lfs' }
  /** The app does not exist or this user may not do this with it: the two read the same. */
  | { readonly kind: 'no-access'; readonly app: string; readonly service: GitService }
  /** The key is a deploy key: of other apps, or for reading alone. */
  | { readonly kind: 'key-bound'; readonly app: string; readonly to: 'apps' | 'read' }
  /** The platform's own no, in its own words: raw, and printed line by line. */
  | { readonly kind: 'platform'; readonly reason: PlatformReason; readonly text: string }
  /** `git archive --remote` is not allowed for this app. */
  | { readonly kind: 'archive-off'; readonly app: string }
  /** The platform does not take this name for a new app. */
  | { readonly kind: 'invalid-app-name'; readonly app: string }
  /** Creating one more app on push would pass the user's share. */
  | { readonly kind: 'too-many-apps'; readonly app: string; readonly limit: number }
  /** Another push holds the app's lock, and this one may not wait (any longer). */
  | { readonly kind: 'busy'; readonly app: string; readonly holder: LockHolder; readonly waitedMs: number }
  /** As many dynos run as may, and this request could not wait (any longer) for one to end. */
  | ({ readonly kind: 'dynos-busy'; readonly waitedMs: number } & DynosFull)
  /** The key or user has done wrong too often of late, and for how long that is held against them still. */
  | {
      readonly kind: 'penalised';
      readonly whose: 'key' | 'user';
      readonly offence: Offence;
      readonly waitMs: number;
    }
  /** This user began more sessions on the app within a minute than one may. */
  | { readonly kind: 'too-fast'; readonly app: string; readonly limit: number; readonly waitMs: number }
  /** The server is shutting down and starts nothing new. */
  | { readonly kind: 'draining' };

/** Tells a refusal from what a port answers when it says yes. */
export function isRefusal(answer: object): answer is Refusal {
  return 'kind' in answer;
}
