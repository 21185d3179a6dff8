import type { KeyBinding } from './key-binding.js';

/** Who was proven to hold a key. */
export interface User {
  readonly name: string;
  /**
   * A secret of the user's platform, for an adapter whose later questions to it need one; none here does.
   * It never enters an event, a log or a message.
   */
  readonly credential?: string;
  /** Where the key that was proven opens less than its user may use. */
  readonly binding?: KeyBinding;
  /** Whether the key that is proven must have verified its user, by a PIN or a fingerprint; a security key alone can. */
  readonly needsVerification?: boolean;
}

const USER_NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/;

export function isUserName(text: string): boolean {
  return USER_NAME.test(text);
}

/**
 * A user name made of any text (an account name of the operating system, say): lower-cased, what does not fit
 * replaced by `-`; undefined when nothing usable is left.
 */
export function userNameFrom(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 32);
  return isUserName(name) ? name : undefined;
}
