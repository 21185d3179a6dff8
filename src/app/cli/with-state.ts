import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/system/clock.js';
import type { Clock } from '../../ports/clock.js';
import type { Config } from '../config.js';
import { holdingProcess } from '../hold-process.js';
import { reasonOf } from '../reason.js';
import { openState, type State } from '../state/state.js';

/**
 * Runs an action on what gitmouths share, and closes it.
 * @throws Error that names the state, and why, where it is out of reach or not there at all.
 */
export async function withState<T>(config: Config, action: (state: State, clock: Clock) => Promise<T>): Promise<T> {
  requireState(config);
  const state = await openState(config);
  let trouble: string | undefined;
  state.onTrouble((message, error) => {
    trouble = `${message} (${reasonOf(error)})`;
  });
  try {
    return await holdingProcess(() => action(state, new SystemClock()));
  } catch (error) {
    if (trouble === undefined) throw error;
    throw new Error(trouble, { cause: error });
  } finally {
    state.close();
  }
}

/** A folder that is misspelt must not look like a server on which nothing happens. */
function requireState({ state, dataFolder }: Config): void {
  if (state.kind !== 'local' || existsSync(join(dataFolder, 'gitmouth.db'))) return;
  throw new Error(
    `there is no gitmouth.db in ${dataFolder}: name the data folder of the server (--data, GITMOUTH_DATA)`,
  );
}
