import type { GitService } from '../../src/domain/git-request.js';
import type { Caller, Session } from '../../src/domain/session.js';

export const alice: Caller = {
  connection: { id: 'c-1', address: '192.0.2.7', port: 50_022, software: 'OpenSSH_9.6', login: 'git' },
  user: { name: 'alice' },
  key: {
    algorithm: 'ssh-ed25519',
    blob: new Uint8Array([1, 2, 3]),
    sha256: `SHA256:${'A'.repeat(43)}`,
    md5: '0'.repeat(32),
  },
};

export function sessionOf(service: GitService = 'git-receive-pack', app = 'shop'): Session {
  return { id: 's-1', caller: alice, request: { service, app, protocol: 2 } };
}

/** Characters that move a cursor, start a line, hide or turn text around. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** What hostile clients put where a name is expected. */
export const HOSTILE_TEXT = '\u0000\u001b[2J\u009b31m\r\n !     You may\u2028\u202e\u200b\ud800\u007f';
