import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from './config.js';

/** Passable for the dynos' user where that is not ours; listed by nobody else. */
export function dataFolderMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

/** @throws Error whose message says what to do. */
export function makeDataFolder({ dataFolder }: Pick<Config, 'dataFolder'>): void {
  try {
    makeFolder(dataFolder, dataFolderMode());
    accessSync(dataFolder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (!existsSync(join(dataFolder, 'gitmouth.db'))) tryFolder(dataFolder);
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Error(
      `the data folder ${dataFolder} can't be made or written by this user (${why}): ` +
        'give it to them, or set GITMOUTH_DATA (or --data) to another one',
      { cause },
    );
  }
}

/** @throws Error where it takes no folder, as those of /proc, which root is told that he may write to. */
export function tryFolder(folder: string): void {
  rmdirSync(mkdtempSync(join(folder, '.gitmouth-')));
}

/**
 * With those above it that are missing. Node's own way (`recursive`) never comes back where the one above is there and takes
 * none, as /proc: it asks again and again (Node 20).
 */
function makeFolder(path: string, mode: number): void {
  if (isFolder(path)) return;
  const above = dirname(path);
  if (above !== path) makeFolder(above, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process was faster.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
