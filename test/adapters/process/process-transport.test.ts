import { randomBytes, createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from '@jest/globals';
import { OPERATOR_HOOKS_AT } from '../../../src/adapters/process/git-command.js';
import { ProcessTransport } from '../../../src/adapters/process/process-transport.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import { DEFAULT_DYNO_LIMITS, type DynoLimits } from '../../../src/domain/dyno-policy.js';
import type { Dyno } from '../../../src/domain/dyno.js';
import type { GitService } from '../../../src/domain/git-request.js';
import { never, rejectionOf, until } from '../../../src/contracts/contract.js';
import { line, read } from '../../../src/contracts/dyno-driver.js';
import { shellScript, type Script } from '../../../src/contracts/dyno-scripts.js';
import { transportContract, type TransportHarness } from '../../../src/contracts/transport.js';
import { runContract } from '../../support/contract.js';
import { needs } from '../../support/programs.js';
import { bareRepository, bubblewrap, giveToDynos, SERVER, unsandboxed } from './ground.js';
import { describeProcess, processesOf } from './process-watch.js';

const GRACE_MS = 400;
const MIB = 1024 ** 2;

function dynoOn(repository: string, service: GitService = 'git-upload-pack'): Dyno {
  const access = service === 'git-receive-pack' ? 'write' : 'read';
  return {
    id: 'dyno-1',
    link: { kind: 'process', repository, plan: { service, access, environment: {}, secrets: [] } },
  };
}

/** Every process that serves a job has this word, unique to it, in its command line or its parent's. */
let dynos = 0;

function transportRunning(sandbox: Sandbox, script: string, word: string, graceMs = GRACE_MS): ProcessTransport {
  return new ProcessTransport({ sandbox, graceMs, commandOf: () => ['sh', '-c', script, word] });
}

async function harnessFor(sandbox: Sandbox): Promise<TransportHarness> {
  const repository = bareRepository();
  const scripts = new Map<string, { readonly script: string; readonly word: string }>();
  const words: string[] = [];
  let graceMs = GRACE_MS;
  const transport = {
    kind: 'process' as const,
    capabilities: new ProcessTransport({ sandbox, graceMs: GRACE_MS }).capabilities,
    open(dyno: Dyno, signal: AbortSignal) {
      const known = scripts.get(dyno.id);
      return transportRunning(sandbox, known?.script ?? 'exit 99', known?.word ?? 'none', graceMs).open(dyno, signal);
    },
  };
  return {
    transport,
    async dynoRunning(script: Script) {
      const word = `gitmouth-watched-${process.pid}-${dynos++}`;
      words.push(word);
      const dyno = { ...dynoOn(repository), id: word };
      scripts.set(word, { script: shellScript(script), word });
      return dyno;
    },
    setGrace: (ms) => (graceMs = ms),
    running: async () => words.flatMap(processesOf).map(describeProcess),
    brokenDyno: async () => dynoOn(join(repository, 'is-not-here')),
    // The outermost process: the first that was started for the dyno.
    async lose(dyno) {
      const [first] = processesOf(dyno.id);
      if (first === undefined) throw new Error('nothing to lose');
      process.kill(first, 'SIGKILL');
    },
    close: async () => undefined,
  };
}

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

withBubblewrap(`dynos in bubblewrap, started by ${SERVER}`, () => {
  runContract(
    'keep the contract of Transport',
    transportContract(() => harnessFor(bubblewrap()), ['stall']),
  );

  test('what the command leaves running ends with it, and lets go of its output', async () => {
    const script = "(trap '' TERM HUP; setsid sleep 60) & echo ready";
    const session = await transportRunning(bubblewrap(), script, 'left').open(dynoOn(bareRepository()), never());
    expect((await read(session.stdout)).toString()).toBe('ready\n');
    expect(await session.exit).toEqual({ kind: 'code', code: 0 });
    await session.close();
  });

  everySandbox((limits) => bubblewrap({ limits: { ...DEFAULT_DYNO_LIMITS, ...limits } }));
});

withGit(`dynos without a sandbox, started by ${SERVER}`, () => {
  runContract(
    'keep the contract of Transport',
    transportContract(() => harnessFor(unsandboxed()), ['stall', 'lose']),
  );
  everySandbox(unsandboxed);
});

function everySandbox(make: (limits?: Partial<DynoLimits>) => Sandbox): void {
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  test('64 MiB of random bytes come through exactly, both ways at once', async () => {
    const session = await transportRunning(make(), 'exec cat', 'cat').open(dynoOn(bareRepository()), never());
    const bytes = randomBytes(64 * MIB);
    const echoed = read(session.stdout);
    await pipeline(Readable.from([bytes]), session.stdin);
    expect(digest(await echoed)).toBe(digest(bytes));
    await session.close();
  });

  test('a command that dies of a signal is told as that, whoever sent it; statuses of git’s own are not', async () => {
    const sandbox = make();
    const repository = bareRepository();
    const exitOf = async (script: string) => {
      const session = await transportRunning(sandbox, script, 'dying').open(dynoOn(repository), never());
      const exit = await session.exit;
      await session.close();
      return exit;
    };
    for (const signal of ['TERM', 'KILL', 'INT', 'QUIT', 'PIPE', 'SEGV', 'XCPU', 'XFSZ', 'USR1', 'USR2'])
      expect(await exitOf(`kill -${signal} $$; sleep 60`)).toEqual({ kind: 'signal', signal });
    for (const code of [0, 1, 127, 128, 129, 160, 255])
      expect(await exitOf(`exit ${code}`)).toEqual({ kind: 'code', code });
  });

  test('a command that has used up its processor time is told as killed for it', async () => {
    const session = await transportRunning(make({ cpuSeconds: 1 }), 'while :; do :; done', 'busy').open(
      dynoOn(bareRepository()),
      never(),
    );
    expect(['KILL', 'XCPU'].map((signal) => ({ kind: 'signal', signal }))).toContainEqual(await session.exit);
    await session.close();
  });

  test('HUP that a client sent is told as that, though git has its status of its own', async () => {
    const session = await transportRunning(make(), 'echo ready; exec sleep 60', 'hung-up').open(
      dynoOn(bareRepository()),
      never(),
    );
    await line(session.stdout, 'ready');
    session.signal('HUP');
    expect(await session.exit).toEqual({ kind: 'signal', signal: 'HUP' });
    await session.close();
  });

  test('TERM is handled by the command itself within the grace, and what it does then is done', async () => {
    const repository = bareRepository();
    const script = "trap 'echo cleaned >cleaned; exit 5' TERM; echo ready; while :; do sleep 0.02; done";
    const dyno = dynoOn(repository, 'git-receive-pack');
    const session = await transportRunning(make(), script, 'term', 10_000).open(dyno, never());
    await line(session.stdout, 'ready');
    await session.close();
    expect(await session.exit).toEqual({ kind: 'code', code: 5 });
    expect(existsSync(join(repository, 'cleaned'))).toBe(true);
  });

  test('what leads git away from the repository is removed before it is served', async () => {
    const repository = bareRepository();
    mkdirSync(join(repository, '.git/closed/inner'), { recursive: true });
    writeFileSync(join(repository, 'commondir'), '.git\n');
    chmodSync(join(repository, '.git/closed'), 0o000);
    giveToDynos(join(repository, '.git'));
    giveToDynos(join(repository, 'commondir'));
    const session = await transportRunning(make(), 'ls -A', 'ls').open(dynoOn(repository), never());
    const names = (await read(session.stdout)).toString().split('\n');
    await session.close();
    expect(names).toContain('objects');
    expect(names).not.toContain('.git');
    expect(names).not.toContain('commondir');
  });

  test('git serves the repository: its refs are advertised', async () => {
    const transport = new ProcessTransport({ sandbox: make(), graceMs: GRACE_MS });
    for (const service of ['git-upload-pack', 'git-receive-pack'] as const) {
      const session = await transport.open(dynoOn(bareRepository(), service), never());
      session.stdin.end('0000');
      const advertised = service === 'git-receive-pack' ? 'capabilities^{}' : '0000';
      expect((await read(session.stdout)).toString()).toContain(advertised);
      await session.close();
    }
  });

  test("the environment is the plan's, a fixed PATH, HOME and LANG, and nothing else of the server's", async () => {
    const { link } = dynoOn(bareRepository());
    if (link.kind !== 'process') throw new Error('not a process');
    const plan = { ...link.plan, environment: { GITMOUTH_USER: 'anna', PATH: '/evil', LD_PRELOAD: '' } };
    const transport = transportRunning(make(), 'env', 'env');
    const session = await transport.open({ id: 'dyno-1', link: { ...link, plan } }, never());
    const lines = (await read(session.stdout)).toString().trim().split('\n');
    await session.close();
    const names = lines.map((entry) => entry.slice(0, entry.indexOf('='))).sort();
    const expected = ['GITMOUTH_OPERATOR_HOOKS', 'GITMOUTH_USER', 'HOME', 'LANG', 'LD_PRELOAD', 'PATH', 'PWD'];
    expect(names.filter((name) => name !== 'GIT_CONFIG_NOSYSTEM')).toEqual(expected);
    expect(lines).toEqual(expect.arrayContaining(['PATH=/usr/local/bin:/usr/bin:/bin', 'GITMOUTH_USER=anna']));
    expect(lines).toContain(`GITMOUTH_OPERATOR_HOOKS=${OPERATOR_HOOKS_AT}`);
  });

  test('an opening given up at any moment leaves no process', async () => {
    const repository = bareRepository();
    const word = `gitmouth-given-up-${process.pid}-${dynos++}`;
    for (let delayMs = 0; delayMs < 30; delayMs += 2) {
      const giveUp = new AbortController();
      const opening = transportRunning(make(), 'sleep 60', word).open(dynoOn(repository), giveUp.signal);
      const timer = setTimeout(() => giveUp.abort(new Error('given up')), delayMs);
      const session = await opening.catch(() => undefined);
      clearTimeout(timer);
      await session?.close();
    }
    await until(() => processesOf(word).length === 0, 'every process is gone');
  });

  test('a dyno of another kind is not opened', async () => {
    const transport = new ProcessTransport({ sandbox: make(), graceMs: GRACE_MS });
    const reason = await rejectionOf(transport.open({ id: 'm', link: { kind: 'memory' } }, never()));
    expect(String(reason)).toContain('link of kind memory');
  });
}
