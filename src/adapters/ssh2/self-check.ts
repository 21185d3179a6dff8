/** Whether the installed ssh2 is the one that this folder was written against, byte for byte. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const VERSION = '1.17.0';

/** SHA-256 of each source that server and client run through, cut to 64 bits: told apart, not defended. */
const SOURCES: Readonly<Record<string, string>> = {
  'lib/client.js': 'edd3484daa9d942b',
  'lib/server.js': '128b58ee54cf97a5',
  'lib/Channel.js': '53e92988a025009b',
  'lib/utils.js': 'bbae8286bc64b049',
  'lib/protocol/Protocol.js': 'c1104b49087de7a9',
  'lib/protocol/constants.js': 'a3894fdd8e294109',
  'lib/protocol/crypto.js': 'a729d2064e787e2a',
  'lib/protocol/handlers.js': 'b15f990134a4f69b',
  'lib/protocol/handlers.misc.js': '8927c504c3c33818',
  'lib/protocol/kex.js': '054ba4b818015963',
  'lib/protocol/keyParser.js': 'ba4f40a5a9edef15',
  'lib/protocol/utils.js': '402b39e75ede9e3d',
  'lib/protocol/zlib.js': '8cd9f4c1825cbc39',
};

/**
 * Says why the ssh2 in `folder` is not the one this adapter fits, or undefined when it is.
 *
 * The guard reaches into ssh2 where it has no public words. On any other source, a later version or a patched copy, it
 * could be off without a sign of it; so it is not a likeness that is asked for.
 */
export function checkInternals(folder = installed()): string | undefined {
  const manifest = readFileSync(join(folder, 'package.json'), 'utf8');
  const version = /"version":\s*"([^"]+)"/.exec(manifest)?.[1] ?? 'of no version';
  if (version !== VERSION) {
    return `ssh2 ${version} is installed, but gitmouth's guard fits ssh2 ${VERSION} exactly: run npm ci`;
  }
  const changed = Object.keys(SOURCES).find((source) => digest(join(folder, source)) !== SOURCES[source]);
  if (changed === undefined) return undefined;
  return `${changed} of the installed ssh2 is not that of ssh2 ${VERSION}, which gitmouth's guard fits exactly: run npm ci`;
}

/** Undefined for a file that is not there. */
function digest(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
  } catch {
    return undefined;
  }
}

function installed(): string {
  return dirname(createRequire(import.meta.url).resolve('ssh2/package.json'));
}
