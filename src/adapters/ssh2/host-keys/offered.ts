import type { AlgorithmSet } from '../../../domain/algorithm-set.js';
import { KINDS, type HostKey } from './files.js';
import { readPrivateKey } from '../key-file.js';

/** A host key that somebody else keeps for us. */
export interface OfferedHostKey {
  /** In OpenSSH's own form or PEM, without a passphrase. */
  readonly privateKey: string;
  readonly state: HostKey['state'];
}

/**
 * The keys that this server can use, current ones first; those of a type that it offers nobody are left out.
 * @throws Error that says which is wrong by its place, and quotes nothing of any.
 */
export function offeredHostKeys(offered: readonly OfferedHostKey[], algorithms: AlgorithmSet): readonly HostKey[] {
  const used = KINDS[algorithms].map(({ algorithm }) => algorithm);
  const keys = offered.map(keyOf).filter(({ algorithm }) => used.includes(algorithm));
  const of = (state: HostKey['state']) => keys.filter((key) => key.state === state);
  for (const state of ['current', 'next'] as const) {
    const twice = used.find((algorithm) => of(state).filter((key) => key.algorithm === algorithm).length > 1);
    if (twice !== undefined) throw new Error(`there are two ${state} keys of the type ${twice}: one is enough`);
  }
  const same = of('next').find(({ fingerprint }) => of('current').some((key) => key.fingerprint === fingerprint));
  if (same !== undefined) throw new Error(`${same.fingerprint} is a current and a next key: it can be one of both`);
  if (of('current').length === 0) throw new Error(`there is no current key of the type ${used.join(' or ')}`);
  return [...of('current'), ...of('next')];
}

function keyOf({ privateKey, state }: OfferedHostKey, index: number): HostKey {
  const reading = readPrivateKey(privateKey);
  if (reading === undefined) throw new Error(`key ${index + 1} is no private key without a passphrase`);
  if ('problem' in reading) throw new Error(`key ${index + 1}: ${reading.problem}`);
  return { ...reading.key, state };
}
