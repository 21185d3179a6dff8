/**
 * Retires a host key once for each change that it makes to files, and is cut off right before that one; the last is not
 * cut off. A write writes no more than a part, as it may on a disk that is all but full. Run as a program of its own, so that what the built program imports can be replaced.
 *
 *     node cut-off-retirements.mjs FOLDER FINGERPRINT OUT     leaves OUT/1, OUT/2, …: copies of FOLDER
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const [folder = '', fingerprint = '', out = ''] = process.argv.slice(2);
const CUT = new Error('cut off');
let left = Infinity;

/** Bytes of one write. */
const PART = 150;

const { writeSync } = fs;
fs.writeSync = (file, content, at = 0) => {
  const bytes = Buffer.from(content);
  return writeSync(file, bytes, at, Math.min(PART, bytes.length - at));
};

for (const name of ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'rmSync']) {
  const original = fs[name];
  fs[name] = (...args) => {
    const isReading = name === 'openSync' && args[1] !== 'wx';
    if (!isReading) {
      left -= 1;
      if (left < 0) throw CUT;
    }
    return original(...args);
  };
}
syncBuiltinESMExports();

const { retireHostKey } = await import('../../dist/adapters/ssh2/host-keys/rotation.js');
let isCut = true;
for (let changes = 0; isCut; changes++) {
  const copy = join(out, String(changes + 1));
  left = Infinity;
  fs.cpSync(folder, copy, { recursive: true });
  left = changes;
  try {
    retireHostKey([copy, 'modern'], fingerprint, Date.now());
    // A folder's names that could not be made to last stop nobody.
    isCut = left < 0;
  } catch (error) {
    if (error !== CUT) throw error;
  }
}
