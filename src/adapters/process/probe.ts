import { chownSync, existsSync, mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '../../domain/fault.js';
import { HOOKS_FOLDER } from './assets.js';
import { VISIBLE_FOLDERS } from './bubblewrap-arguments.js';
import { HOOKS_AT, OPERATOR_HOOKS_AT } from './git-command.js';
import { findPrograms, type Programs } from './programs.js';
import { runInSandbox } from './run.js';
import { REPOSITORY, type HostUser, type Sandbox } from './sandbox.js';

/** Whether dynos can run, and if not, what to do. */
export type ProbeResult =
  | { readonly ok: true; readonly gitVersion: string }
  | { readonly ok: false; readonly problem: string; readonly advice: string };

export interface ProbeOptions {
  readonly sandbox: Sandbox;
  /** As the sandbox was given it. */
  readonly runAs?: HostUser;
  readonly operatorHooks?: string;
  /** Where secrets and repositories lie: no dyno may see it whole. */
  readonly dataFolder?: string;
  readonly programs?: Programs;
}

const PROBE_LIMIT_MS = 20_000;
const OLDEST_GIT = [2, 34] as const;

/** Runs git in the sandbox, on an empty repository, just as a dyno will. */
export async function probeSandbox(options: ProbeOptions): Promise<ProbeResult> {
  return missingProgram(options) ?? exposedData(options) ?? (await tryOut(options));
}

function missingProgram({ sandbox, runAs, programs = findPrograms() }: ProbeOptions): ProbeResult | undefined {
  if (programs.git === undefined) return failed('git is not installed', 'install git');
  if (sandbox.name === 'none') return undefined;
  if (programs.bwrap === undefined)
    return failed('bubblewrap (the program bwrap) is not installed', 'install bubblewrap, 0.8.0 or newer');
  if (
    programs.prlimit === undefined ||
    (runAs !== undefined && (programs.setpriv === undefined || programs.unshare === undefined))
  )
    return failed('the programs prlimit, setpriv and unshare are not installed', 'install util-linux');
  return undefined;
}

function exposedData({ sandbox, dataFolder }: ProbeOptions): ProbeResult | undefined {
  if (sandbox.name === 'none' || dataFolder === undefined || !existsSync(dataFolder)) return undefined;
  const real = `${realpathSync(dataFolder)}/`;
  const around = VISIBLE_FOLDERS.find((folder) => existsSync(folder) && real.startsWith(`${realpathSync(folder)}/`));
  if (around === undefined) return undefined;
  return failed(`the data folder lies in ${around}, which every dyno can read`, 'move the data folder elsewhere');
}

async function tryOut({ sandbox, runAs, operatorHooks, dataFolder }: ProbeOptions): Promise<ProbeResult> {
  const place = placeOf(sandbox, dataFolder);
  const repository = mkdtempSync(join(place, 'gitmouth-probe-'));
  try {
    // Where a canonical config is put over the repository's own, git could not make one here: a file is enough.
    if (runAs !== undefined) chownSync(repository, runAs.uid, runAs.gid);
    const mounts = [
      { hostPath: HOOKS_FOLDER, at: HOOKS_AT },
      ...(operatorHooks === undefined ? [] : [{ hostPath: operatorHooks, at: OPERATOR_HOOKS_AT }]),
    ];
    const folders = mounts.map(({ at }) => at);
    const { code, stdout, stderr } = await runInSandbox(
      sandbox,
      PROBE_LIMIT_MS,
    )({
      repository,
      access: 'write',
      argv: ['sh', '-c', CHECKS, 'sh', REPOSITORY, ...folders],
      mounts,
    });
    return code === 0 ? judgeGit(stdout) : failedCheck(code, stderr.trim(), place, mounts);
  } catch (error) {
    return startFailure(isFault(error) ? error.message : String(error));
  } finally {
    await rm(repository, { recursive: true, force: true });
  }
}

/** Without a sandbox nothing opens the way to the repositories for the dynos' user: they may lie below a closed folder. */
function placeOf(sandbox: Sandbox, dataFolder: string | undefined): string {
  return sandbox.name === 'none' && dataFolder !== undefined && existsSync(dataFolder) ? dataFolder : tmpdir();
}

/**
 * Exit status 10 is for the repository, 11 for the first folder of hooks, 12 for the second.
 * `true` and not `:`, whose failed redirection would end the whole shell (POSIX, 2.8.1).
 */
const CHECKS = `git --version || exit 9
true >"$1/probe" || exit 10
shift
status=11
for folder do
  ls "$folder/" >/dev/null || exit $status
  [ ! -e "$folder/pre-receive" ] || [ -x "$folder/pre-receive" ] || exit $status
  status=$((status + 1))
done`;

function failedCheck(
  code: number,
  stderr: string,
  place: string,
  mounts: readonly { readonly hostPath: string }[],
): ProbeResult {
  const folder = mounts[code - 11]?.hostPath;
  if (folder !== undefined)
    return failed(
      `the dyno user can not reach the hooks in ${folder}: ${stderr || 'a hook is not executable'}`,
      `make ${folder}, what is in it and the folders above it readable and executable for everybody, or put it elsewhere`,
    );
  if (code === 10)
    return failed(
      `the dyno user can not write to a repository in ${place}: ${stderr}`,
      'see that it has room, and that every user may pass through the folders above it (chmod o+x)',
    );
  return failed(`git does not run in a dyno (status ${code}): ${stderr}`, 'install git as a package of this system');
}

function judgeGit(stdout: string): ProbeResult {
  const [, version = '', major = '0', minor = '0'] = /git version ((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST_GIT;
  const isRecent = Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  if (isRecent) return { ok: true, gitVersion: version };
  return failed(`git ${version} is too old`, `install git ${OLDEST_GIT.join('.')} or newer`);
}

function startFailure(message: string): ProbeResult {
  const known = KNOWN_FAILURES.find(({ sign }) => sign.test(message));
  return failed(message, known?.advice ?? 'run it by hand to see more: bwrap --unshare-all --ro-bind / / true');
}

/** What bubblewrap says when this machine keeps it from working. */
const KNOWN_FAILURES: readonly { readonly sign: RegExp; readonly advice: string }[] = [
  {
    sign: /Can't mount proc/,
    advice: 'in a container, start it with its /proc unmasked (Docker: --security-opt systempaths=unconfined)',
  },
  {
    sign: /Unknown option/,
    advice: 'install bubblewrap 0.8.0 or newer',
  },
  {
    sign: /setting up uid map|No permissions to create new namespace|Creating new namespace failed|RTM_NEWADDR|Operation not permitted/,
    advice:
      'allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), ' +
      'sysctl kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for bwrap (Ubuntu), ' +
      'sysctl user.max_user_namespaces=15000; in a container, one that may make namespaces ' +
      '(Docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined --cap-add SYS_ADMIN)',
  },
];

function failed(problem: string, advice: string): ProbeResult {
  return { ok: false, problem, advice };
}
