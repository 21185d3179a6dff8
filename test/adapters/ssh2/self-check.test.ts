/** The start-up check on copies of the installed ssh2, sound and doctored. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { checkInternals } from '../../../src/adapters/ssh2/self-check.js';
import { temporaryFolder } from '../../support/temporary.js';

const INSTALLED = dirname(createRequire(import.meta.url).resolve('ssh2/package.json'));

describe('the ssh2 that is installed', () => {
  test('is the one the guard was written against', () => {
    expect(checkInternals()).toBeUndefined();
  });

  let copy: string;

  beforeEach(() => {
    copy = temporaryFolder('ssh2');
    for (const part of ['package.json', 'lib']) cpSync(join(INSTALLED, part), join(copy, part), { recursive: true });
  });

  test('is recognised wherever it lies', () => {
    expect(checkInternals(copy)).toBeUndefined();
  });

  test('is refused in another version, with what to do', () => {
    const file = join(copy, 'package.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"version": "1.17.0"', '"version": "1.18.0"'));
    expect(checkInternals(copy)).toBe(
      "ssh2 1.18.0 is installed, but gitmouth's guard fits ssh2 1.17.0 exactly: run npm ci",
    );
  });

  // Each of what the guard reaches into, renamed as a later version might.
  test.each([
    ['lib/protocol/Protocol.js', '_onPayload', '_onMessage'],
    ['lib/protocol/kex.js', 'this._protocol._onPayload', 'this._protocol.onPayload'],
    ['lib/protocol/kex.js', 'convertPublicKey', 'convertKey'],
    ['lib/protocol/handlers.misc.js', '_handlers.CHANNEL_OPEN', '_handlers.OPEN'],
    ['lib/server.js', "socket.on('data'", "socket.once('data'"],
    ['lib/client.js', "sock.on('data'", "sock.once('data'"],
    ['lib/Channel.js', '_chunkcb', '_callback'],
    ['lib/utils.js', 'this._count', 'this._number'],
  ])('is refused when %s says %s otherwise', (source, name, other) => {
    const file = join(copy, source);
    const text = readFileSync(file, 'utf8');
    if (!text.includes(name)) throw new Error(`${source} does not say ${name}`);
    writeFileSync(file, text.replaceAll(name, other));
    expect(checkInternals(copy)).toBe(
      `${source} of the installed ssh2 is not that of ssh2 1.17.0, which gitmouth's guard fits exactly: run npm ci`,
    );
  });

  test('is refused when a part of it is missing', () => {
    rmSync(join(copy, 'lib/protocol/zlib.js'));
    expect(checkInternals(copy)).toContain('lib/protocol/zlib.js of the installed ssh2');
  });
});
