import { describe, expect, test } from '@jest/globals';
import {
  channelRefusedLine,
  turnedAwayLine,
  type ChannelRefused,
  type TurnedAway,
} from '../../src/domain/words/turned-away.js';
import { UNSAFE } from './someone.js';

/** Each reason; the compiler sees that none is missing. Those with something a user can do say it, in these words. */
const REASONS: Readonly<Record<TurnedAway, string>> = {
  'too-many-connections': 'Try again in a moment.',
  'too-many-connections-of-user': 'Close some',
  'too-many-strangers': 'Try again in a moment.',
  'login-timeout': 'Try again',
  'too-many-failures': 'Check which key you use',
  'too-many-offers': 'IdentitiesOnly=yes',
  'too-many-pending-logins': '',
  idle: 'Connect again',
  'keepalive-timeout': '',
  'unread-output': '',
  'stalled-output': '',
  'key-exchange-timeout': '',
  'too-many-key-exchanges': 'Raise the rekey limit',
  'message-before-login': '',
  'message-out-of-place': '',
  'window-exceeded': '',
  'bad-identification': 'RFC 4253',
  'untrusted-proxy': 'GITMOUTH_PROXY_FROM',
  'no-proxy-header': 'has to send a PROXY header',
  'bad-proxy-header': '',
  'proxy-header-timeout': '',
  'broken-protocol': 'a broken client',
  'no-keys-agreed': 'Update your client',
  'identification-timeout': '',
};
const reasons = Object.entries(REASONS) as [TurnedAway, string][];

/** One sentence or two, in a line that a client can show as it is. */
function expectOneLine(line: string): void {
  expect(line).not.toMatch(UNSAFE);
  expect(line).toMatch(/^[A-Z0-9].{15,}\.$/);
  expect(line.length).toBeLessThan(200);
}

describe('whoever is turned away for', () => {
  test.each(reasons)('%s reads one printable line', (reason, advice) => {
    const line = turnedAwayLine(reason);
    expectOneLine(line);
    expect(line).toContain(advice);
  });

  test.each(reasons)('%s from an address that is held to less reads when that is over', (reason) => {
    const line = turnedAwayLine(reason, 39_001);
    expectOneLine(line);
    expect(line).toBe(`${turnedAwayLine(reason)} Too much has failed from your address. Try again in 40 seconds.`);
  });

  test('one reason reads another line than for any other', () => {
    expect(new Set(reasons.map(([reason]) => turnedAwayLine(reason))).size).toBe(reasons.length);
  });
});

const REFUSED: Readonly<Record<ChannelRefused, string>> = {
  'too-many-sessions': '10 sessions are open over this connection, as many as it takes. Close one, or connect anew.',
  'tiny-packets': 'The maximum packet size must be at least 10 bytes.',
  'number-in-use': 'Channel 10 is open already.',
};

test.each(Object.entries(REFUSED) as [ChannelRefused, string][])(
  'a channel refused for %s names the limit or the number',
  (reason, words) => {
    expect(channelRefusedLine(reason, 10)).toBe(words);
    expectOneLine(channelRefusedLine(reason, 10));
  },
);
