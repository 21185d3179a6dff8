import type { DynoLimits } from '../../domain/dyno-policy.js';

/**
 * The command under its limits: prlimit(1) sets them and becomes the command, soft and hard alike.
 *
 * Where no user namespace counts them apart, `processes` would count everything this machine's user runs: leave it out.
 */
export function underLimits(
  prlimit: string,
  limits: DynoLimits,
  counts: { readonly processes: boolean },
  argv: readonly string[],
): string[] {
  return [
    prlimit,
    `--data=${limits.memoryBytes}`,
    ...(counts.processes ? [`--nproc=${limits.processes}`] : []),
    `--fsize=${limits.fileBytes}`,
    `--cpu=${limits.cpuSeconds}`,
    '--core=0',
    '--',
    ...argv,
  ];
}
