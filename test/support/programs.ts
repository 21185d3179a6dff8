/** Tests that need programs of this machine: skipped by name where one is missing, or failed when all are required. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from '@jest/globals';

interface Program {
  /** What to install, where that has another name. */
  readonly package: string;
  /** A command that succeeds only where the program is usable. */
  readonly probe: readonly [string, ...string[]];
  /** It comes over the network from elsewhere: its tests are skipped without it even where all programs are required. */
  readonly isOptional?: true;
}

/** The client of Debian 13's OpenSSH, where `scripts/newer-openssh.sh` has put it. */
export const NEWER_SSH = join(import.meta.dirname, '../../node_modules/.cache/newer-openssh/ssh');

function answering(program: string, option = '--version', name = program): Program {
  return { package: name, probe: [program, option] };
}

const PROGRAMS = {
  // Present is not enough: many kernels and containers forbid the namespaces it needs.
  bwrap: {
    package: 'bubblewrap',
    probe: ['bwrap', '--unshare-all', '--disable-userns', '--unshare-user', '--ro-bind', '/', '/', 'true'],
  },
  prlimit: answering('prlimit', '--version', 'util-linux'),
  setpriv: answering('setpriv', '--version', 'util-linux'),
  git: answering('git'),
  openssl: answering('openssl', 'version'),
  curl: answering('curl'),
  'redis-server': answering('redis-server'),
  'redis-cli': answering('redis-cli', '--version', 'redis-tools'),
  haproxy: answering('haproxy', '-v'),
  'git-lfs': answering('git-lfs'),
  ssh: answering('ssh', '-V', 'openssh-client'),
  'newer-ssh': { package: 'OpenSSH 10 by scripts/newer-openssh.sh', probe: [NEWER_SSH, '-V'], isOptional: true },
  sshd: { package: 'openssh-server', probe: ['sh', '-c', '/usr/sbin/sshd -V'] },
  'ssh-keygen': { package: 'openssh-client', probe: ['sh', '-c', 'command -v ssh-keygen'] },
  'ssh-agent': { package: 'openssh-client', probe: ['sh', '-c', 'command -v ssh-agent && command -v ssh-add'] },
  script: answering('script', '--version', 'bsdutils'),
  ps: answering('ps', '--version', 'procps'),
  perl: answering('perl'),
  python3: answering('python3'),
  sqlite3: answering('sqlite3'),
  'ssh-audit': answering('ssh-audit', '--help'),
  plink: { package: 'putty-tools', probe: ['sh', '-c', 'plink -V && puttygen --version'] },
  dbclient: { package: 'dropbear-bin', probe: ['sh', '-c', 'dbclient -V && command -v dropbearconvert'] },
  // Debian's own Python, whatever else is on the PATH: its packages are installed for that one.
  dulwich: {
    package: 'python3-paramiko and python3-dulwich',
    probe: ['/usr/bin/python3', '-c', 'import paramiko, dulwich'],
  },
  pygit2: { package: 'python3-pygit2', probe: ['/usr/bin/python3', '-c', 'import pygit2'] },
  jgit: {
    package: 'libjgit-java, libjsch-java, libslf4j-java and default-jdk-headless',
    probe: [
      'sh',
      '-c',
      'cd /usr/share/java && ls org.eclipse.jgit.jar jsch.jar slf4j-nop.jar && java -version && javac -version',
    ],
  },
  'go-ssh': {
    package: 'golang-go and golang-golang-x-crypto-dev',
    probe: ['sh', '-c', 'go version && ls /usr/share/gocode/src/golang.org/x/crypto/ssh'],
  },
} as const satisfies Record<string, Program>;

export type ProgramName = keyof typeof PROGRAMS;

const usable = new Map<ProgramName, boolean>();

/** Whether the program is here and works. */
export function isUsable(name: ProgramName): boolean {
  const known = usable.get(name);
  if (known !== undefined) return known;
  const [command, ...options] = PROGRAMS[name].probe;
  const works = spawnSync(command, options, { stdio: 'ignore', timeout: 10_000 }).status === 0;
  usable.set(name, works);
  return works;
}

/**
 * `const { test, describe } = needs('git', 'ssh')`: as Jest's own where the programs are usable. The reporter reads
 * the bracketed end of a skipped test's name.
 */
export function needs(...names: readonly ProgramName[]): { test: typeof test; describe: typeof describe } {
  const lacking = names.filter((name) => !isUsable(name));
  const missing = lacking.map(withPackage);
  if (missing.length === 0) return { test, describe };
  if (process.env['GITMOUTH_REQUIRE_ALL'] === '1' && lacking.some((name) => !isOptional(name))) {
    throw new Error(`GITMOUTH_REQUIRE_ALL=1, but these programs are missing or not usable: ${missing.join(', ')}`);
  }
  return { test: skipping(test, missing), describe: skipping(describe, missing) };
}

function isOptional(name: ProgramName): boolean {
  const program: Program = PROGRAMS[name];
  return program.isOptional === true;
}

function withPackage(name: ProgramName): string {
  const installed = PROGRAMS[name].package;
  return installed === name ? name : `${name} (${installed})`;
}

/** Whatever is declared through it (also by `.each`, `.only`, `.concurrent`) is declared as skipped, with the reason. */
function skipping<T extends typeof test | typeof describe>(declare: T, missing: readonly string[]): T {
  const because = ` [needs ${missing.join(', ')}]`;
  const skipped = (name: string, ...rest: unknown[]) => (declare.skip as Declare)(`${name}${because}`, ...rest);
  const each =
    (...table: unknown[]) =>
    (name: string, ...rest: unknown[]) =>
      (declare.skip.each as unknown as (...table: unknown[]) => Declare)(...table)(`${name}${because}`, ...rest);
  return Object.assign(skipped, { each, only: skipped, skip: skipped, concurrent: skipped }) as unknown as T;
}

type Declare = (name: string, ...rest: unknown[]) => void;
