import { join } from 'node:path';
import type { AlgorithmSet } from '../domain/algorithm-set.js';
import type { Config } from './config.js';

/** Where the host keys are, as `loadHostKeys` and `loadOrCreateHostKeys` take it: folder, types, a file of the operator's. */
export function hostKeysAt({
  dataFolder,
  algorithms,
  platform,
}: Config): readonly [folder: string, algorithms: AlgorithmSet, ownFile?: string] {
  const folder = join(dataFolder, 'host-keys');
  const ownFile = platform.kind === 'openruko' ? platform.hostKeyFile : undefined;
  return ownFile === undefined ? [folder, algorithms] : [folder, algorithms, ownFile];
}
