import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where programs are looked up, on this machine and in every dyno: never the PATH the server was started with. */
export const PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin';

export type ProgramName = 'bwrap' | 'prlimit' | 'setpriv' | 'unshare' | 'git';

/** The absolute paths of the programs that are installed. */
export type Programs = Readonly<Partial<Record<ProgramName, string>>>;

export function findProgram(name: string): string | undefined {
  return PROGRAM_PATH.split(':')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function findPrograms(): Programs {
  const names: readonly ProgramName[] = ['bwrap', 'prlimit', 'setpriv', 'unshare', 'git'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const path = findProgram(name);
      return path === undefined ? [] : [[name, path]];
    }),
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
