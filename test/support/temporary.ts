import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { guard } from './guard.js';

/**
 * A new, empty folder for this test file, removed after the file's last hook. Mode 0711, so that a dyno's user can
 * pass through it without being able to list it.
 */
export function temporaryFolder(label = 'folder'): string {
  const { temporary, folders } = guard();
  const folder = mkdtempSync(join(temporary, `${label}-`));
  chmodSync(folder, 0o711);
  folders.push(folder);
  return folder;
}
