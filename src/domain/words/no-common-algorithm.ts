import type { AlgorithmSet } from '../algorithm-set.js';

/** For the log: why a client could not even begin, and the setting that may let it in. */
export function noCommonAlgorithmLine(lacking: string, algorithms: AlgorithmSet): string {
  const advice =
    algorithms === 'modern'
      ? 'if it is an old one, GITMOUTH_ALGORITHMS=compatible may let it in'
      : 'it has to be updated (GITMOUTH_ALGORITHMS is compatible already)';
  return `no ${lacking} in common with the client: ${advice}`;
}
