export interface RepositorySettings {
  /** Largest pack a push may send, in bytes; 0 for no limit. */
  readonly maxPackBytes: number;
}

/**
 * The config of every repository, byte for byte: whatever else a repository's config says was written by a hook.
 */
export function repositoryConfig({ maxPackBytes }: RepositorySettings): string {
  return SECTIONS(maxPackBytes)
    .map(([section, entries]) => `[${section}]\n${entries.map((entry) => `\t${entry}\n`).join('')}`)
    .join('');
}

const SECTIONS = (maxPackBytes: number): readonly (readonly [string, readonly string[]])[] => [
  [
    'core',
    [
      'repositoryformatversion = 0',
      'filemode = true',
      'bare = true',
      'logallrefupdates = false',
      // The dyno's command names the hooks; without it, as in our own git commands, there are none.
      'hooksPath = /dev/null',
      // An acknowledged push outlives a crash of the machine: objects, their indexes and the ref itself.
      'fsync = committed,reference',
    ],
  ],
  ['transfer', ['fsckObjects = true']],
  [
    'receive',
    [
      'advertisePushOptions = true',
      `maxInputSize = ${maxPackBytes}`,
      'denyNonFastForwards = false',
      'denyDeletes = false',
      // The deployed branch: HEAD follows it.
      'denyDeleteCurrent = refuse',
    ],
  ],
  [
    'uploadpack',
    [
      'allowFilter = true',
      // A partial clone fetches what it lacks by its id. Protocol 2 allows it anyway, 0 and 1 only so.
      'allowAnySHA1InWant = true',
    ],
  ],
  // In the background it would be killed together with the sandbox when the push ends.
  ['gc', ['autoDetach = false']],
  ['maintenance', ['autoDetach = false']],
  // Bounds what packing takes on a machine with many processors: a dyno's memory is limited.
  ['pack', ['threads = 4', 'windowMemory = 128m']],
];
