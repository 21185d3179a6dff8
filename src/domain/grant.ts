import type { EnvironmentVariable } from './environment.js';
import type { LockMode } from './lock-policy.js';

/** The answer of access control when it is yes. */
export interface Grant {
  /** The app's own name; the platform may name it other than the request did. */
  readonly app: string;
  readonly access: 'read' | 'write';
  /** What to do when another writer holds the app; unset, as the setting says. Readers take no lock. */
  readonly lockMode?: LockMode;
  /** The app does not exist yet and this push is to create it. */
  readonly creates: boolean;
  /** The branch that is deployed, where the platform knows one. */
  readonly branch?: string;
  /** Words of the platform for the user, shown before git starts; raw, and printed through `platformWords`. */
  readonly notice?: string;
  /** More environment for the dyno; what `environmentProblem` objects to is left out. */
  readonly environment?: readonly EnvironmentVariable[];
  /** Tighter limits for this one session. */
  readonly limits?: GrantLimits;
  /** What the platform knows this grant by: handed back to it when the dyno is asked for. */
  readonly reference?: string;
}

/** Of the limits that hold for all, these may be narrowed for one session, and none is ever widened. In milliseconds. */
export interface GrantLimits {
  readonly lockWaitMs?: number;
  /** From the grant to the end, waiting included; then the session is ended down to its dyno. */
  readonly sessionMs?: number;
}

/** An app that a user may use, and how. */
export interface AppAccess {
  readonly app: string;
  readonly access: 'read' | 'write';
}
