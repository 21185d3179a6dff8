/** The clients of the matrix, each as its users set it up; docs/clients.md has the same in words. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../support/door.js';
import { temporaryFolder } from '../support/temporary.js';
import { git, program, type Client, type Visit } from './client.js';
import { asPem, ECDSA_KINDS, forDropbear, forPutty, KEY_KINDS } from './keys.js';

const PROGRAMS = join(import.meta.dirname, 'programs');
/** Debian's own, which has Debian's packages. */
const PYTHON = '/usr/bin/python3';
const CLASS_PATH = ['org.eclipse.jgit', 'jsch', 'slf4j-api', 'slf4j-nop'].map((name) => `/usr/share/java/${name}.jar`);

/** As Jest's own: kept from one run to the next. */
const GO_CACHE = join(import.meta.dirname, '../../node_modules/.cache/go');

const everywhere = { modern: KEY_KINDS, compatible: KEY_KINDS };

/** OpenSSH with these options of its own. */
export function openssh(visit: Visit, ...options: readonly string[]): readonly string[] {
  return [
    ...['ssh', '-F', '/dev/null', '-i', visit.keyFile, '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
    ...['-o', `UserKnownHostsFile=${visit.knownHosts}`, '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
    ...(visit.rekeyBytes === undefined ? [] : ['-o', `RekeyLimit=${visit.rekeyBytes}`]),
    ...options,
  ];
}

export const CLIENTS: readonly Client[] = [
  {
    name: 'OpenSSH',
    programs: ['git', 'ssh'],
    works: everywhere,
    run: (visit, ...rest) => git(visit, { words: openssh(visit), variant: 'ssh' }, ...rest),
  },
  {
    name: 'PuTTY',
    programs: ['git', 'plink'],
    works: everywhere,
    async run(visit, ...rest) {
      const hostKeys = visit.hostKeys.flatMap(({ fingerprint }) => ['-hostkey', fingerprint]);
      const words = ['plink', '-batch', '-noagent', '-i', await forPutty(visit.keyFile), ...hostKeys];
      return git(visit, { words, variant: 'plink' }, ...rest);
    },
  },
  {
    name: 'dropbear',
    programs: ['git', 'dbclient'],
    works: everywhere,
    async run(visit, ...rest) {
      return git(visit, { words: ['dbclient', '-i', await forDropbear(visit.keyFile)], variant: 'ssh' }, ...rest);
    },
  },
  {
    name: 'dulwich over Paramiko',
    programs: ['dulwich'],
    works: everywhere,
    run: (visit, ...rest) =>
      program(visit, visit.keyFile, [PYTHON, join(PROGRAMS, 'dulwich_over_paramiko.py')], ...rest),
  },
  {
    name: 'libgit2 over libssh2',
    programs: ['pygit2'],
    // libssh2 before 1.11 has no encrypt-then-MAC MAC, and signs with an RSA key by SHA-1 alone.
    works: { modern: [], compatible: ['Ed25519', ...ECDSA_KINDS] },
    run: (visit, verb, folder = temporaryFolder('scratch'), ...rest) =>
      program(visit, visit.keyFile, [PYTHON, join(PROGRAMS, 'libgit2.py')], verb, folder, ...rest),
  },
  {
    name: 'JGit over JSch',
    programs: ['jgit'],
    // JSch 0.1 knows no Ed25519 key, and signs with an RSA key by SHA-1 alone.
    works: { modern: [], compatible: ECDSA_KINDS },
    async run(visit, ...rest) {
      const classPath = [...CLASS_PATH, await compiledJava()].join(':');
      const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
      const words = ['java', ...quick, '-cp', classPath, 'JGitOverJSch'] as const;
      return program(visit, await asPem(visit.keyFile), words, ...rest);
    },
  },
  {
    name: "Go's x/crypto",
    programs: ['git', 'go-ssh'],
    works: everywhere,
    async run(visit, ...rest) {
      const environment = {
        GO_SSH_KEY: visit.keyFile,
        GO_SSH_KNOWN_HOSTS: visit.knownHosts,
        ...(visit.rekeyBytes === undefined ? {} : { GO_SSH_REKEY_BYTES: String(visit.rekeyBytes) }),
      };
      return git(visit, { words: [await compiledGo()], environment, variant: 'ssh' }, ...rest);
    },
  },
  {
    name: "Node's ssh2",
    programs: ['git'],
    works: everywhere,
    run(visit, ...rest) {
      const environment = {
        NODE_SSH_KEY: visit.keyFile,
        NODE_SSH_HOST_KEYS: visit.hostKeys.map(({ base64 }) => base64).join(','),
      };
      const words = [process.execPath, join(PROGRAMS, 'node-ssh.mjs')];
      return git(visit, { words, environment, variant: 'ssh' }, ...rest);
    },
  },
];

const built = { java: '', go: '' };

async function compiledJava(): Promise<string> {
  if (built.java !== '') return built.java;
  const folder = temporaryFolder('java');
  const source = join(PROGRAMS, 'JGitOverJSch.java');
  const { stdout, stderr } = await execute('javac', ['-d', folder, '-cp', CLASS_PATH.join(':'), source]);
  if (!existsSync(join(folder, 'JGitOverJSch.class'))) throw new Error(`javac: ${stdout}${stderr}`);
  return (built.java = folder);
}

async function compiledGo(): Promise<string> {
  if (built.go !== '') return built.go;
  const folder = temporaryFolder('go');
  const file = join(folder, 'go-ssh');
  // Debian has Go's libraries where Go looked for them before there were modules.
  const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: GO_CACHE, CGO_ENABLED: '0' };
  const { stdout, stderr } = await execute('go', ['build', '-o', file, join(PROGRAMS, 'go-ssh.go')], { env });
  if (!existsSync(file)) throw new Error(`go build: ${stdout}${stderr}`);
  return (built.go = file);
}
