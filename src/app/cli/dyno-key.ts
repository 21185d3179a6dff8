import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import { dynoKey } from '../platforms/http.js';

/** @throws Error where there are no dynos that such a key is for. */
export function shownDynoKey(config: Config): { readonly fingerprint: string; readonly publicKey: string } {
  const { platform } = config;
  if (platform.kind !== 'http') {
    throw new Error(`GITMOUTH_PLATFORM is '${platform.kind}', which has no dynos over SSH: there is no such key`);
  }
  makeDataFolder(config);
  const { fingerprint, publicKey } = dynoKey(config, platform);
  return { fingerprint, publicKey };
}
