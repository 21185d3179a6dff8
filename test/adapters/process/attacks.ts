/** A data folder worth attacking, and one job with which an attack is carried out. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary.js';
import { bareRepository } from './ground.js';

export const SECRET = 'the-secret-that-no-dyno-sees';

export interface DataFolder {
  readonly folder: string;
  /** The repository the attacker may push to. */
  readonly own: string;
  readonly other: string;
  readonly hostKey: string;
  readonly database: string;
  readonly config: string;
}

/** As gitmouth lays it out, and closed to everybody but the server. */
export function dataFolder(): DataFolder {
  const folder = temporaryFolder('data');
  const inside = (...names: string[]): string => join(folder, ...names);
  mkdirSync(inside('host-keys'));
  for (const file of ['host-keys/ed25519', 'gitmouth.db']) writeFileSync(inside(file), SECRET, { mode: 0o600 });
  const own = bareRepository(inside('repositories', 'own.git'));
  const other = bareRepository(inside('repositories', 'other.git'));
  writeFileSync(join(other, 'description'), SECRET);
  writeFileSync(
    inside('config'),
    '[core]\n\tbare = true\n\trepositoryformatversion = 0\n[gitmouth]\n\tcanonical = yes\n',
  );
  chmodSync(inside('config'), 0o644);
  chmodSync(folder, 0o700);
  return {
    folder,
    own,
    other,
    hostKey: inside('host-keys', 'ed25519'),
    database: inside('gitmouth.db'),
    config: inside('config'),
  };
}
