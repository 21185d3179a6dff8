import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Person } from '../../support/door.js';

/** So small that there are many: more than a hundred objects git keeps in one pack (receive.unpackLimit). */
const FILE_BYTES = 64 * 1024;

/** A commit with so many bytes that git can't make smaller, of 8 MiB or more. */
export async function addBytes(folder: string, person: Person, count: number): Promise<void> {
  for (let at = 0; at < count; at += FILE_BYTES) {
    writeFileSync(join(folder, `file-${at / FILE_BYTES}`), randomBytes(Math.min(FILE_BYTES, count - at)));
  }
  await person.commit(folder, {});
}
