/**
 * gitmouth in front of an Openruko installation, all of it on this machine and reachable from nowhere else: the API
 * server and the dyno host that the tests use, a user made of your own SSH keys, and one app.
 *
 *     npm run demo:openruko       Ctrl-C ends everything and leaves nothing.
 */
import { transformFileSync } from '@swc/core';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'dist/app/main.js');
const APP = 'hello';
/** Openruko knows its users by numbers. */
const USER = '1';
const START_LIMIT_MS = 20_000;

/** What the app's pre-receive hook does in place of a build. */
const BUILD = [
  'while read -r old new ref; do echo "-----> $ref is to be $new"; done',
  'echo "-----> Building, or so it says"',
  'for step in one two three; do sleep 0.3; echo "       step $step"; done',
  'echo "-----> Done, in a dyno of the dyno host"',
];

const signalled = untilSignalled();
const scratch = mkdtempSync(join(tmpdir(), 'gitmouth-demo-'));
const endings = [() => rmSync(scratch, { recursive: true, force: true })];
try {
  await run();
} catch (error) {
  say(`The demo can't go on: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  for (const end of endings.reverse()) await end();
}

async function run() {
  requirePrograms();
  if (!existsSync(PROGRAM)) execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  const { ownKeys } = await import(pathToFileURL(join(ROOT, 'dist/app/cli/first-user.js')).href);
  const keys = await ownKeys();
  if (keys.length === 0) throw new Error('no SSH key of yours was found; make one: ssh-keygen -t ed25519');
  const openruko = await startOpenruko(keys);
  const gitmouth = startGitmouth(openruko);
  const port = await gitmouth.listening;
  for (const line of words(openruko, keys, port)) say(line);
  await Promise.race([signalled, gitmouth.ended]);
}

function requirePrograms() {
  for (const [program, ...args] of [
    ['git', '--version'],
    ['openssl', 'version'],
  ]) {
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0) throw new Error(`it needs ${program}: install it`);
  }
}

async function startOpenruko(keys) {
  const { Installation } = await importCompiled(join(ROOT, 'test/support'), 'openruko/installation.js');
  const folder = join(scratch, 'openruko');
  mkdirSync(folder);
  const openruko = await Installation.start(folder);
  endings.push(() => openruko.stop());
  for (const { key } of keys) openruko.api.register(USER, key.md5);
  openruko.createApp(APP, USER);
  openruko.hook(APP, 'pre-receive', ...BUILD);
  return openruko;
}

/** The counterparts are TypeScript, and use nothing but Node and each other. */
async function importCompiled(from, module) {
  const to = join(scratch, 'support');
  const files = readdirSync(join(from, 'openruko')).map((file) => join('openruko', file));
  for (const file of [...files, 'temporary.ts', 'guard.ts']) {
    const { code } = transformFileSync(join(from, file), {
      swcrc: false,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    const compiled = join(to, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(compiled), { recursive: true });
    writeFileSync(compiled, code);
  }
  writeFileSync(join(to, 'package.json'), '{"type":"module"}');
  // As test/support/environment.mjs does it for a test file: where temporary folders are made.
  globalThis[Symbol.for('gitmouth.test.guard')] = { temporary: scratch, folders: [], promises: new Set() };
  return import(pathToFileURL(join(to, module)).href);
}

function startGitmouth(openruko) {
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: { ...environmentWithoutSettings(), ...settings(openruko) },
    stdio: ['ignore', 'inherit', 'pipe'],
    // Ctrl-C is for the demo, which ends it.
    detached: true,
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  endings.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  const listening = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`gitmouth does not start: ${said}`)), START_LIMIT_MS);
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const [, port] = /^gitmouth listens on \S+:(\d+)/m.exec(said) ?? [];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(port);
    });
    void ended.then(() => {
      clearTimeout(timer);
      reject(new Error(`gitmouth did not start: ${said}`));
    });
  });
  return { listening, ended };
}

/** Everything that is needed to put gitmouth in front of an installation; the last three are the demo's own. */
function settings(openruko) {
  return {
    ...openruko.environment,
    GITMOUTH_DATA: join(scratch, 'data'),
    GITMOUTH_LISTEN: '127.0.0.1:0',
    GITMOUTH_LOG: 'text',
    GITMOUTH_DRAIN_SECONDS: '1',
  };
}

/** Whatever is set for another gitmouth. */
function environmentWithoutSettings() {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:GITMOUTH|APISERVER|DYNOHOST)_/.test(name));
  return Object.fromEntries(own);
}

function words(openruko, keys, port) {
  const knownHosts = join(scratch, 'known_hosts');
  writeFileSync(knownHosts, hostKeys(openruko, port));
  const address = `ssh://git@127.0.0.1:${port}`;
  const api = `  API server   https://localhost:${openruko.api.port}, with you as user ${USER} and the app '${APP}'`;
  return [
    '',
    'Openruko, on this machine alone, with gitmouth in front:',
    '',
    api,
    ...keys.map(({ key, from }) => `               your key ${key.sha256} (${from})`),
    `  dyno host    localhost:${openruko.dynoHost.port}, over TLS as well; a throw-away authority signed both`,
    `  gitmouth     ${address}`,
    '',
    'From any repository:',
    '',
    `  GIT_SSH_COMMAND='ssh -o UserKnownHostsFile=${knownHosts}' git push ${address}/${APP}.git HEAD:main`,
    '',
    'What to look at:',
    '',
    `  - The lines with "remote: ----->" come from a hook in the dyno, as they are printed.`,
    `  - gitmouth logs a line for each request below: user ${USER}, the app, what each phase took, how it ended.`,
    `  - Push to other.git: an app that is not there and one that is not yours read the same.`,
    `  - Clone ${APP}.git, with the same GIT_SSH_COMMAND.`,
    '',
    'docs/openruko.md says how to put gitmouth in front of an installation of yours. Ctrl-C ends all of this.',
    '',
  ];
}

/** So that ssh need not ask, and your own known_hosts stays as it is. */
function hostKeys(openruko, port) {
  const env = { ...environmentWithoutSettings(), ...settings(openruko) };
  const shown = execFileSync(process.execPath, [PROGRAM, 'hostkey', 'show', '--json'], { env, encoding: 'utf8' });
  return JSON.parse(shown)
    .map(({ publicKey }) => `[127.0.0.1]:${port} ${publicKey}\n`)
    .join('');
}

/** A second signal changes nothing: what is being ended is ended. */
function untilSignalled() {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, resolve);
  });
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
