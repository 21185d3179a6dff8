import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { runInSandbox } from '../../../src/adapters/process/run.js';
import { REPOSITORY, type Sandbox } from '../../../src/adapters/process/sandbox.js';
import { isFault } from '../../../src/domain/fault.js';
import { rejectionOf } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { bareRepository, bubblewrap, giveToDynos, SERVER, sh, unsandboxed } from './ground.js';
import { processesOf } from './process-watch.js';

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

withBubblewrap(`running git in bubblewrap, as ${SERVER} does it,`, () => cases(bubblewrap));
withGit(`running git without a sandbox, as ${SERVER} does it,`, () => cases(unsandboxed));

function cases(make: () => Sandbox): void {
  test('tells status, output and errors apart and whole', async () => {
    const result = await sh(make(), bareRepository(), 'echo out; echo err >&2; exit 3');
    expect(result).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  test('puts the real paths in place of those a job knows', async () => {
    const repository = bareRepository();
    const source = join(repository, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'here');
    giveToDynos(source);
    const run = runInSandbox(make());
    const mounts = [{ hostPath: source, at: '/source' }];
    const show = await run({ repository, access: 'read', argv: ['cat', '/source/file'], mounts });
    expect(show).toMatchObject({ code: 0, stdout: 'here' });
    const git = await run({
      repository,
      access: 'read',
      argv: ['git', `--git-dir=${REPOSITORY}`, 'symbolic-ref', 'HEAD'],
    });
    expect(git).toEqual({ code: 0, stdout: 'refs/heads/main\n', stderr: '' });
  });

  test('has no input, and keeps at most a mebibyte of each output while it lets the command go on', async () => {
    const { code, stdout } = await sh(make(), bareRepository(), 'cat; head -c 5M /dev/zero; exit 4');
    expect([code, stdout.length]).toEqual([4, 1024 ** 2]);
  });

  test('gives up after the limit with a fault, and leaves nothing running', async () => {
    const word = `gitmouth-late-${process.pid}`;
    const run = runInSandbox(make(), 500);
    const job = { repository: bareRepository(), access: 'read', argv: ['sh', '-c', 'sleep 60 & wait', word] } as const;
    const reason = await rejectionOf(run(job));
    expect(isFault(reason) && [reason.code, reason.stage]).toEqual(['GM_TIMEOUT', 'run']);
    expect(processesOf(word)).toEqual([]);
  });

  test('rejects with the reason of a signal, before and while it runs', async () => {
    const word = `gitmouth-stopped-${process.pid}`;
    const run = runInSandbox(make());
    const job = { repository: bareRepository(), access: 'read', argv: ['sh', '-c', 'sleep 60 & wait', word] } as const;
    const stop = new AbortController();
    const running = run(job, stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 200);
    expect(await rejectionOf(running)).toBe(stop.signal.reason);
    expect(await rejectionOf(run(job, stop.signal))).toBe(stop.signal.reason);
    expect(processesOf(word)).toEqual([]);
  });

  test('tells a repository that is not there as a fault of starting', async () => {
    const reason = await rejectionOf(sh(make(), '/nowhere/app.git', 'true'));
    expect(isFault(reason) && [reason.code, reason.stage]).toEqual(['GM_DYNO_START', 'connect']);
  });
}
