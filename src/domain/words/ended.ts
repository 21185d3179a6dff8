import type { EndReason } from '../session-end.js';

/** Why a session was ended from our side, in a sentence for its user. */
export function endedLines(reason: EndReason): readonly string[] {
  switch (reason) {
    case 'client-left':
      return [];
    case 'drained':
      return [
        'The time to finish is over and this server stops now. Your command was ended; run it again in a moment.',
      ];
    case 'user-removed':
      return ['Your account was removed. Your command was ended.'];
    case 'key-removed':
      return ['Your key was removed from your account. Your command was ended.'];
    case 'key-changed':
      return ['What your key may be used for was changed. Your command was ended; run it again.'];
    case 'key-revoked':
      return ['Your key or certificate does not count here any more. Your command was ended; ask an operator why.'];
    case 'time-limit':
      return ['The time that this session may take is over. Your command was ended.'];
    case 'superseded':
      return ['A newer push to this app took the place of yours. Your command was ended.'];
    case 'lock-released':
      return [
        'An operator took the lock of this app from your push. Your command was ended; ask them before the next.',
      ];
    case 'operator':
      return ['An operator ended your command.'];
    case 'stalled':
      return ['Your client took nothing of what waited for it for too long. Your command was ended; run it again.'];
    case 'lease-lost':
      return ['The lock of this app was lost. Your command was ended so that no two pushes run at once; run it again.'];
  }
}
