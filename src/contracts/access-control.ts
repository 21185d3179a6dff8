import type { CreationRule } from '../domain/access-policy.js';
import type { PublicKey } from '../domain/public-key.js';
import type { AccessControl } from '../ports/access-control.js';
import { accessAnswers } from './access-answers.js';
import { accessChanges } from './access-changes.js';
import { casesOf, type ContractCase, type Harness, type Promised } from './contract.js';

/** An access control, and the platform behind it. Pushes create no app unless `setCreation` says so. */
export interface AccessControlHarness extends Harness {
  readonly access: AccessControl;
  /** Gives the user one more key; the first makes the user. */
  register(user: string, key: PublicKey): Promise<void>;
  removeKey(user: string, key: PublicKey): Promise<void>;
  removeUser(user: string): Promise<void>;
  /** Makes an app without archives and without a deployed branch. */
  createApp(name: string, owner: string): Promise<void>;
  destroyApp(name: string): Promise<void>;
  readonly share?: (app: string, user: string, access: 'read' | 'write') => Promise<void>;
  readonly unshare?: (app: string, user: string) => Promise<void>;
  readonly setArchive?: (app: string, on: boolean) => Promise<void>;
  readonly setBranch?: (app: string, branch: string) => Promise<void>;
  readonly setCreation?: (rule: CreationRule) => Promise<void>;
  /** From now on the platform can't be asked. */
  readonly breakDown?: () => Promise<void>;
  /** From now on the platform does not answer. */
  readonly stall?: () => Promise<void>;
}

export type AccessControlLack =
  /** The platform lists the apps of a user. */
  | 'list'
  /** The platform knows its users by certificates. */
  | 'certificates'
  | 'share'
  | 'setArchive'
  | 'setBranch'
  | 'setCreation'
  | 'breakDown'
  | 'stall';

export type AccessControlPromise = Promised<AccessControlHarness, AccessControlLack>;

export function accessControlContract(
  open: () => Promise<AccessControlHarness>,
  lacks: readonly AccessControlLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...accessAnswers, ...accessChanges]);
}
