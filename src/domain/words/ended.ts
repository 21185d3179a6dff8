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
    case 'time-limit':
      return ['The time that this session may take is over. Your command was ended.'];
    case 'lease-lost':
      return ['The lock of this app was lost. Your command was ended so that no two pushes run at once; run it again.'];
  }
}
