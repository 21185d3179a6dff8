import { expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { readablePrivateKey } from '../../../../src/adapters/ssh2/key-file.js';

const make = () => ssh2.utils.generateKeyPairSync('ed25519').private;

test('a host key that ssh2 made unreadable is thrown away and made anew', () => {
  // Found and not forged: about one in 256 that ssh2 1.17.0 makes. A release that makes none ends this loop, and with
  // it the reason for `readablePrivateKey`.
  const made = Array.from({ length: 4_000 }, make);
  const broken = made.find((key) => ssh2.utils.parseKey(key) instanceof Error);
  if (broken === undefined) throw new Error('ssh2 makes readable keys now: drop readablePrivateKey');
  const keys = [broken, broken, make()];
  const taken = readablePrivateKey(() => ({ private: keys.shift() ?? '' }));
  expect(ssh2.utils.parseKey(taken)).not.toBeInstanceOf(Error);
});
