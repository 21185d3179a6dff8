import { accessSync, constants, mkdirSync } from 'node:fs';
import type { Config } from './config.js';

/** Passable for the dynos' user where that is not ours; listed by nobody else. */
export function dataFolderMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

/** @throws Error whose message says what to do. */
export function makeDataFolder({ dataFolder }: Config): void {
  try {
    mkdirSync(dataFolder, { recursive: true, mode: dataFolderMode() });
    accessSync(dataFolder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Error(
      `the data folder ${dataFolder} can't be made or written by this user (${why}): ` +
        'give it to them, or set GITMOUTH_DATA (or --data) to another one',
      { cause },
    );
  }
}
