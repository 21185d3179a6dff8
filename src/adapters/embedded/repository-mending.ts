import { REPOSITORY, type RepositoryJob } from './repository-run.js';

/**
 * Puts a repository back in order, from inside the sandbox: whatever a hook has planted there, the script can reach
 * nothing but the repository. No path in it goes through a link, since links in place of folders are removed first.
 * Several readers may run it at once.
 */
const MEND = `
folder() {
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then rm -rf -- "$1"; fi
  mkdir -p -- "$1"
  chmod u+rwx -- "$1"
}
content() {
  new=$(mktemp ./gitmouth.XXXXXX)
  printf '%s' "$2" > "$new"
  if [ -L "$1" ] || [ ! -f "$1" ]; then rm -rf -- "$1"; fi
  mv -f -- "$new" "$1"
}

if [ -L objects ] || [ -L refs ]; then echo 'objects or refs is a link' >&2; exit 1; fi
for path in objects objects/info objects/pack refs refs/heads refs/tags; do folder "$path"; done
if [ -L info ] || [ -e info ]; then folder info; fi
rm -rf -- hooks commondir gitdir config.worktree worktrees modules
rm -rf -- objects/info/alternates objects/info/http-alternates info/grafts info/attributes
for path in packed-refs shallow objects/info/packs objects/info/commit-graph objects/pack/multi-pack-index; do
  if [ -L "$path" ] || [ ! -f "$path" ]; then rm -rf -- "$path"; fi
done
content config "$2"
[ -z "$3" ] || content HEAD "$3"
`;

/**
 * Removes what killed git processes have left, and pipes and links, of which git makes none here; only for one who
 * holds the writer's lock. A `.keep` is receive-pack's own, and would keep its pack from ever being repacked. Folders
 * that are closed to their owner are opened on the way.
 */
const SWEEP = `
find . -mindepth 1 \\( -type d ! -perm -700 ! -exec chmod u+rwx -- {} \\; \\) -o \\( \\
  ! -type f ! -type d -o -name '*.lock' \\
  -o -path './objects/tmp_*' -o -path './objects/incoming-*' -o -path './objects/??/tmp_obj_*' \\
  -o -path './objects/pack/tmp_*' -o -path './objects/pack/.tmp-*' -o -path './objects/pack/*.keep' \\
  -o -path './objects/info/*/tmp_*' -o -path './objects/info/tmp_*' \\
  -o -path ./gc.pid -o -path ./gc.log -o -path ./packed-refs.new \\
  -o -path './shallow_??????' -o -path './gitmouth.??????' \\
  \\) -prune -exec rm -rf -- {} +
`;

export interface Mending {
  /** The settings to be put back; undefined when all is as it must be. */
  readonly config?: string;
  /** What HEAD is to say; undefined leaves it. */
  readonly head?: string;
  /** Whether to remove leftovers. */
  readonly sweep: boolean;
}

export function mendingJob(repository: string, { config, head, sweep }: Mending): RepositoryJob {
  const script = `set -eu; umask 077; cd -- "$1"\n${config === undefined ? '' : MEND}${sweep ? SWEEP : ''}`;
  const argv = ['sh', '-c', script, 'mend', REPOSITORY, config ?? '', head ?? ''] as const;
  return { repository, access: 'write', argv };
}
