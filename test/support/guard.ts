/** What the test environment (environment.mjs) keeps for the file that is running. */

export interface Guard {
  /** This file's own temporary folder, also `os.tmpdir()`; whatever is left in it at the end fails the file. */
  readonly temporary: string;
  /** Folders to be removed when the file's last hook has run. */
  readonly folders: string[];
  /** Checked and forgotten when each test ends. */
  readonly promises: Set<{ broken(): Error | undefined }>;
}

const GUARD = Symbol.for('gitmouth.test.guard');

export function guard(): Guard {
  const found = (globalThis as { [GUARD]?: Guard })[GUARD];
  if (found === undefined) throw new Error('no guard: the test must run in test/support/environment.mjs');
  return found;
}
