/** Dynos as processes of this machine, as the configuration wants them. */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Repositories } from '../../adapters/embedded/repositories.js';
import { repositoryConfig } from '../../adapters/embedded/repository-config.js';
import { BubblewrapSandbox } from '../../adapters/process/bubblewrap.js';
import { chooseSandbox, type SandboxChoice } from '../../adapters/process/choose-sandbox.js';
import { probeSandbox } from '../../adapters/process/probe.js';
import { ProcessTransport } from '../../adapters/process/process-transport.js';
import { runInSandbox } from '../../adapters/process/run.js';
import type { HostUser, Sandbox } from '../../adapters/process/sandbox.js';
import { UnsandboxedSandbox } from '../../adapters/process/unsandboxed.js';
import type { Config } from '../config.js';
import { isReachableFromElsewhere } from '../listen-addresses.js';
import { MIB } from '../setting-checks.js';

/** How long a job of gitmouth's own that grows with its repository may take. */
const LONG_JOB_MS = 3_600_000;

/** @throws Error, in words for the operator, when dynos can't run here the way the configuration asks. */
export function chooseSandboxFor(config: Config): Promise<SandboxChoice> {
  return chooseSandbox(
    config.sandbox,
    !isReachableFromElsewhere(config.listen, config.proxies.from),
    (name) => makeSandbox(config, name),
    (sandbox) => probeSandbox({ sandbox, dataFolder: config.dataFolder, ...runAs(config), ...operatorHooks(config) }),
  );
}

export function processTransport(config: Config, sandbox: Sandbox): ProcessTransport {
  return new ProcessTransport({ sandbox, graceMs: config.limits.terminateGraceMs, ...operatorHooks(config) });
}

export function repositoriesOf(config: Config, dynoSandbox: Sandbox): Repositories {
  const sandbox = makeJobSandbox(config, dynoSandbox.name);
  const owner = runAs(config).runAs;
  return new Repositories({
    folder: join(config.dataFolder, 'repositories'),
    settings: { maxPackBytes: config.maxPackBytes },
    run: runInSandbox(sandbox),
    runLong: runInSandbox(sandbox, LONG_JOB_MS),
    ...(owner === undefined ? {} : { owner }),
  });
}

/** Said before dynos begin to run as another user, who could enter no repository that is not theirs. */
export function requireOwnRepositories(repositories: Repositories, { dynoUser: { uid, gid } }: Config): void {
  const foreign = repositories.foreign();
  if (foreign === undefined) return;
  throw new Error(
    `GITMOUTH_DYNO_USER is ${uid}:${gid}, and ${foreign} belongs to another user: give all repositories to the new one ` +
      '(chown -R) while nobody pushes, or leave GITMOUTH_DYNO_USER as it is',
  );
}

/** Said apart, and before anything is made: a dyno without the folder would look like a sandbox that does not work. */
export function requireHooksFolder({ hooksFolder }: Config): void {
  if (hooksFolder === undefined || statSync(hooksFolder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new Error(`GITMOUTH_HOOKS is ${hooksFolder}, and there is no such folder: make it, or unset GITMOUTH_HOOKS`);
}

function makeSandbox(config: Config, name: Sandbox['name']): Sandbox {
  const common = { limits: config.dynoLimits, ...runAs(config) };
  if (name === 'none') return new UnsandboxedSandbox(common);
  const network = config.dynoNetwork ? 'shared' : 'none';
  return new BubblewrapSandbox({ ...common, network, configFile: writeRepositoryConfig(config) });
}

/** As dynos' own, but with the repository's own config in its place, so that it can be put right. */
function makeJobSandbox(config: Config, name: Sandbox['name']): Sandbox {
  const common = { limits: config.dynoLimits, ...runAs(config) };
  return name === 'none' ? new UnsandboxedSandbox(common) : new BubblewrapSandbox({ ...common, network: 'none' });
}

/** Only root can, and must, run dynos as somebody else. */
function runAs(config: Config): { readonly runAs?: HostUser } {
  return process.getuid?.() === 0 ? { runAs: config.dynoUser } : {};
}

function operatorHooks(config: Config): { readonly operatorHooks?: string } {
  return config.hooksFolder === undefined ? {} : { operatorHooks: config.hooksFolder };
}

/**
 * What every dyno sees as its repository's config: a file of ours, out of reach of any hook. One for each text, as a
 * configuration that is only tried must change nothing for those who run by another.
 */
function writeRepositoryConfig(config: Config): string {
  const folder = join(config.dataFolder, 'dyno');
  const file = join(folder, `repository-config-${config.maxPackBytes / MIB}-mib`);
  const text = repositoryConfig({ maxPackBytes: config.maxPackBytes });
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return file;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // Renamed into place: nobody finds a part of it.
  writeFileSync(`${file}.new`, text, { mode: 0o644 });
  renameSync(`${file}.new`, file);
  return file;
}
