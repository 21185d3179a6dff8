import type { LockMode } from './lock-policy.js';

/** The answer of access control when it is yes. */
export interface Grant {
  /** The app's own name; the platform may name it other than the request did. */
  readonly app: string;
  readonly access: 'read' | 'write';
  /** What to do when another writer holds the app. Readers take no lock. */
  readonly lockMode: LockMode;
  /** The app does not exist yet and this push is to create it. */
  readonly creates: boolean;
  /** The branch that is deployed, where the platform knows one. */
  readonly branch?: string;
  /** Words for the user, shown before git starts. */
  readonly notice?: string;
  /** More environment for the dyno; names that gitmouth, git or the dyno use for themselves are left out. */
  readonly environment?: Readonly<Record<string, string>>;
}
