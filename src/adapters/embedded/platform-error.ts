/** What the embedded platform refuses to do for an operator; the message says what to do instead. */

export type PlatformErrorCode =
  | 'bad-name'
  | 'bad-branch'
  | 'no-such-user'
  | 'user-exists'
  | 'user-owns-apps'
  | 'no-such-key'
  | 'key-in-use'
  | 'no-security-key'
  | 'no-such-app'
  | 'app-exists'
  | 'app-busy'
  | 'is-owner'
  | 'not-shared'
  | 'repository-exists'
  | 'import-failed'
  | 'not-deleted';

export class PlatformError extends Error {
  readonly code: PlatformErrorCode;

  constructor(code: PlatformErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PlatformError';
    this.code = code;
  }
}
