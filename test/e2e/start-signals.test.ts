/** Signals to a server that has not started yet: none of them finds it deaf, and none is lost. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { PROGRAM, until } from '../support/door.js';
import { HeldFile } from '../support/held-file.js';
import { needs } from '../support/programs.js';
import { projectWith } from '../support/project.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git');

let server: Running | undefined;

afterEach(() => server?.kill());

function serve(folder: string, env: Readonly<Record<string, string>>): Running {
  const place = { HOME: temporaryFolder('home'), GITMOUTH_DATA: join(folder, 'data'), GITMOUTH_LISTEN: '127.0.0.1:0' };
  server = new Running(process.execPath, [PROGRAM, 'serve'], {
    cwd: folder,
    env: { ...place, GITMOUTH_LOG: 'json', ...env },
  });
  return server;
}

/** A start that goes on once the file `go` is there. What it does meanwhile is up to `also`, and `signal` is its own. */
function slowStart(also: string): string {
  return `
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerModule } from 'inversify';
import { tokens } from 'gitmouth';
const prepare = async (signal) => {
  writeFileSync('waits', '');
  ${also}
  while (!existsSync('go')) await sleep(20, undefined, { signal });
};
const close = () => writeFileSync('closed', '');
export default new ContainerModule(({ bind }) => {
  bind(tokens.lifecycle).toConstantValue({ prepare, finish: async () => undefined, close });
});
`;
}

/** A server whose start waits in an adapter of its operator's. */
async function starting(also: string): Promise<{ readonly running: Running; readonly folder: string }> {
  const folder = projectWith({ 'slow.mjs': slowStart(also), 'gitmouth.conf': '' });
  const env = { GITMOUTH_CONFIG: './gitmouth.conf', GITMOUTH_ADAPTERS: './slow.mjs', GITMOUTH_SANDBOX: 'none' };
  const running = serve(folder, env);
  await until(
    () => existsSync(join(folder, 'waits')) || running.hasEnded,
    20_000,
    () => `it does not begin to start: ${running.stderr}`,
  );
  return { running, folder };
}

const reloads = ({ stdout }: Running) => stdout.split('\n').filter((line) => line.includes('"config-reloaded"'));

describe('SIGHUP during the start', () => {
  test('does not end it, from the reading of the settings on; one reload follows the start', async () => {
    const file = new HeldFile(join(temporaryFolder('config'), 'gitmouth.conf'));
    const running = serve(temporaryFolder('door'), { GITMOUTH_CONFIG: file.path });
    await file.read();
    for (let count = 0; count < 3; count += 1) running.signal('SIGHUP');
    file.release('');
    await running.line('SIGHUP: reloaded');
    expect(running.stderr.indexOf('gitmouth listens on')).toBeLessThan(running.stderr.indexOf('SIGHUP: reloaded'));
    expect(reloads(running)).toHaveLength(1);
    running.signal('SIGTERM');
    expect((await running.ended()).code).toBe(0);
  });

  test('is followed by a reload that finds what was written since the start began', async () => {
    const { running, folder } = await starting('');
    writeFileSync(join(folder, 'gitmouth.conf'), 'GITMOUTH_DRAIN_SECONDS=7\n');
    running.signal('SIGHUP');
    writeFileSync(join(folder, 'go'), '');
    await running.line('SIGHUP: reloaded; changed: GITMOUTH_DRAIN_SECONDS.');
    expect(reloads(running)).toHaveLength(1);
  });
});

describe('SIGTERM during the start', () => {
  test('ends it in order and soon: it never listens, and everything is closed', async () => {
    const { running, folder } = await starting('');
    running.signal('SIGTERM');
    const { code, stdout, stderr } = await running.ended(3_000);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'SIGTERM: ending, before it has started; once more to end at once.\n',
    });
    expect(stdout).not.toContain('"server-started"');
    expect(stdout).toContain('"server-stopped"');
    expect(existsSync(join(folder, 'closed'))).toBe(true);
  });

  test('a second one ends it at once, whatever it waits for', async () => {
    const { running } = await starting('signal = undefined;');
    running.signal('SIGTERM');
    await running.line('once more to end at once');
    running.signal('SIGTERM');
    expect((await running.ended(3_000)).code).toBe(143);
  });
});

test('an error that nobody catches during the start ends it in order, with the status of an internal error', async () => {
  const { running, folder } = await starting("setTimeout(() => { throw new Error('out of the blue'); }, 50);");
  const { code, stdout, stderr } = await running.ended(5_000);
  expect({ code, stderr }).toMatchObject({ code: 70, stderr: expect.stringContaining('out of the blue') });
  expect(stdout).not.toContain('"server-started"');
  expect(existsSync(join(folder, 'closed'))).toBe(true);
});
