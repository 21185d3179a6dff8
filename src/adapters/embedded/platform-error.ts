/** What the embedded platform refuses to do for an operator; the message says what to do instead. */

export type PlatformErrorCode =
  | 'bad-name'
  | 'bad-branch'
  | 'no-such-user'
  | 'user-exists'
  | 'user-owns-apps'
  | 'no-such-key'
  | 'key-in-use'
  | 'no-such-app'
  | 'app-exists'
  | 'app-busy'
  | 'is-owner'
  | 'not-shared'
  | 'repository-exists'
  | 'import-failed'
  | 'not-deleted';

const BRAND = Symbol.for('gitmouth.platform-error');

export class PlatformError extends Error {
  readonly [BRAND] = true;
  readonly code: PlatformErrorCode;

  constructor(code: PlatformErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PlatformError';
    this.code = code;
  }
}

export function isPlatformError(error: unknown): error is PlatformError {
  return typeof error === 'object' && error !== null && BRAND in error;
}
