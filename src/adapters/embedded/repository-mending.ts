import { REPOSITORY, type RepositoryJob } from './repository-run.js';

/**
 * Puts a repository back in order, from inside the sandbox: whatever a hook has planted there, the script can reach
 * nothing but the repository. No path in it goes through a link, since links in place of folders are removed first.
 * Several readers may run it at once.
 *
 * With `$4` it also removes what killed git processes have left, and pipes and links, of which git makes none here;
 * only for one who holds the writer's lock. A `.keep` is receive-pack's own, and would keep its pack from ever being
 * repacked.
 */
const SCRIPT = `
set -eu
umask 077
cd -- "$1"

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

if [ "$4" = sweep ]; then
  find . ! -type f ! -type d -exec rm -f -- {} +
  rm -rf -- *.lock gc.pid gc.log packed-refs.new shallow_?????? gitmouth.??????
  find objects -maxdepth 1 \\( -name 'tmp_*' -o -name 'incoming-*' -o -name '*.lock' \\) -exec rm -rf -- {} +
  find objects -mindepth 2 -maxdepth 2 -path 'objects/??/tmp_obj_*' -exec rm -rf -- {} +
  find objects/pack -maxdepth 1 \\( -name 'tmp_*' -o -name '.tmp-*' -o -name '*.lock' -o -name '*.keep' \\) \\
    -exec rm -rf -- {} +
  find objects/info \\( -name '*.lock' -o -name 'tmp_*' \\) -exec rm -rf -- {} +
  find refs -name '*.lock' -exec rm -rf -- {} +
fi
`;

/** @param head what HEAD is to say; undefined leaves it. */
export function mendingJob(
  repository: string,
  config: string,
  head: string | undefined,
  sweep: boolean,
): RepositoryJob {
  const argv = ['sh', '-c', SCRIPT, 'mend', REPOSITORY, config, head ?? '', sweep ? 'sweep' : ''] as const;
  return { repository, access: 'write', argv };
}
