/** What the commands are given by the program. */
import type { EmbeddedPlatform } from '../../adapters/embedded/platform.js';
import type { Config } from '../config.js';

/** The configuration as the command at hand sees it: what its options gave goes before the environment. */
export type Configure = (listen?: string) => Config;

/** Runs an action on the platform's database, and closes it. */
export type WithPlatform = (
  action: (platform: EmbeddedPlatform, transaction: (work: () => void) => void) => void,
) => void;
