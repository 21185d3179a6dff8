import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { chooseSandbox } from '../../../src/adapters/process/choose-sandbox.js';
import { probeSandbox, type ProbeResult } from '../../../src/adapters/process/probe.js';
import { findPrograms } from '../../../src/adapters/process/programs.js';
import { BubblewrapSandbox } from '../../../src/adapters/process/bubblewrap.js';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import { DEFAULT_DYNO_LIMITS } from '../../../src/domain/dyno-policy.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { bubblewrap, isRoot, runAs, scriptFolder, SERVER, unsandboxed } from './ground.js';

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');

withBubblewrap(`the probe of ${SERVER}`, () => {
  test.each([
    ['bubblewrap', bubblewrap],
    ['no sandbox', unsandboxed],
  ] as const)('finds that %s works here', async (_, make) => {
    const result = await probeSandbox({
      sandbox: make(),
      ...runAs,
      operatorHooks: scriptFolder({ 'pre-receive': 'true' }),
    });
    expect(result).toEqual({ ok: true, gitVersion: expect.stringMatching(/^\d+\.\d+/) });
  });

  test.each([
    ['bwrap', /bubblewrap .* is not installed/, /install bubblewrap/],
    ['git', /git is not installed/, /install git/],
    ['prlimit', /prlimit, setpriv and unshare are not installed/, /install util-linux/],
  ])('names %s where it is missing, and what to install', async (name, problem, advice) => {
    const { [name as 'git']: _missing, ...programs } = findPrograms();
    expect(await probeSandbox({ sandbox: bubblewrap({ programs }), ...runAs, programs })).toEqual({
      ok: false,
      problem: expect.stringMatching(problem),
      advice: expect.stringMatching(advice),
    });
  });

  test.each([
    ['No permissions to create new namespace', /allow unprivileged user namespaces: sysctl/],
    ['setting up uid map: Permission denied', /apparmor_restrict_unprivileged_userns/],
    ["Can't mount proc on /newroot/proc: Operation not permitted", /unmasked/],
    ['Unknown option --disable-userns', /0\.8\.0 or newer/],
    ['something new', /run it by hand/],
  ])('says what bubblewrap said (%s) and what to do about it', async (words, advice) => {
    const folder = scriptFolder({ bwrap: `echo "bwrap: ${words}" >&2; exit 1` });
    const programs = { ...findPrograms(), bwrap: join(folder, 'bwrap') };
    expect(await probeSandbox({ sandbox: bubblewrap({ programs }), ...runAs, programs })).toEqual({
      ok: false,
      problem: expect.stringContaining(words),
      advice: expect.stringMatching(advice),
    });
  });

  test('refuses a git that is too old', async () => {
    const old: Sandbox = {
      name: 'bubblewrap',
      spawn: (job) => bubblewrap().spawn({ ...job, argv: ['echo', 'git version 2.33.8'] }),
    };
    expect(await probeSandbox({ sandbox: old, ...runAs })).toEqual({
      ok: false,
      problem: 'git 2.33.8 is too old',
      advice: 'install git 2.34 or newer',
    });
  });

  test('refuses a data folder that every dyno would see', async () => {
    const result = await probeSandbox({ sandbox: bubblewrap(), ...runAs, dataFolder: '/usr/share' });
    expect(result).toMatchObject({ ok: false, problem: 'the data folder lies in /usr, which every dyno can read' });
    expect(await probeSandbox({ sandbox: bubblewrap(), ...runAs, dataFolder: temporaryFolder() })).toMatchObject({
      ok: true,
    });
  });

  test('says that hooks below a closed folder are out of reach without a sandbox, and fine with one', async () => {
    const closed = temporaryFolder('closed');
    mkdirSync(join(closed, 'hooks'));
    chmodSync(closed, isRoot ? 0o700 : 0o000);
    const options = { ...runAs, operatorHooks: join(closed, 'hooks') };
    expect(await probeSandbox({ sandbox: unsandboxed(), ...options })).toEqual({
      ok: false,
      problem: expect.stringContaining(`the dyno user can not reach the hooks in ${closed}/hooks`),
      advice: expect.stringContaining('readable and executable'),
    });
    if (isRoot) expect(await probeSandbox({ sandbox: bubblewrap(), ...options })).toMatchObject({ ok: true });
    chmodSync(closed, 0o700);
  });

  test('a sandbox refuses to run dynos as root, or as nobody in particular for a root server', () => {
    const options = { limits: DEFAULT_DYNO_LIMITS, network: 'none' } as const;
    expect(() => new BubblewrapSandbox({ ...options, runAs: { uid: 0, gid: 0 } })).toThrow(/root/);
    if (isRoot) expect(() => new BubblewrapSandbox(options)).toThrow('must be told which user its dynos run as');
    if (isRoot)
      expect(() => new BubblewrapSandbox({ ...options, runAs: { uid: 5, gid: 0 } })).toThrow('never run as root');
    if (!isRoot)
      expect(() => new BubblewrapSandbox({ ...options, runAs: { uid: 5, gid: 5 } })).toThrow('only a server');
  });
});

const FINE: ProbeResult = { ok: true, gitVersion: '2.39.5' };
const BROKEN: ProbeResult = { ok: false, problem: 'it is broken', advice: 'mend it' };

/** Never started: only its name is asked for. */
function named(name: Sandbox['name']): Sandbox {
  return {
    name,
    spawn: () => {
      throw new Error('not to be started');
    },
  };
}

function choose(
  setting: 'auto' | 'bubblewrap' | 'none',
  isLoopback: boolean,
  results: Record<Sandbox['name'], ProbeResult>,
) {
  return chooseSandbox(setting, isLoopback, named, async ({ name }) => results[name]);
}

test.each(['auto', 'bubblewrap'] as const)('%s is bubblewrap without a word where it works', async (setting) => {
  const choice = await choose(setting, false, { bubblewrap: FINE, none: BROKEN });
  expect([choice.sandbox.name, choice.warning]).toEqual(['bubblewrap', undefined]);
});

test('auto goes without a sandbox, loudly, where only loopback is listened on', async () => {
  const choice = await choose('auto', true, { bubblewrap: BROKEN, none: FINE });
  expect(choice.sandbox.name).toBe('none');
  expect(choice.warning).toMatch(/^DYNOS ARE NOT ISOLATED: .*it is broken \(mend it\)/);
});

test('auto refuses to start, and says how to go on, where others can come in', async () => {
  await expect(choose('auto', false, { bubblewrap: BROKEN, none: FINE })).rejects.toThrow(
    /it is broken \(mend it\)\. Put that right, listen on 127\.0\.0\.1 alone and for no proxy, or set GITMOUTH_SANDBOX=none/,
  );
});

test('bubblewrap that was asked for is never replaced', async () => {
  await expect(choose('bubblewrap', true, { bubblewrap: BROKEN, none: FINE })).rejects.toThrow(/it is broken/);
});

test('none is taken at its word, with the warning, unless not even that works', async () => {
  expect((await choose('none', false, { bubblewrap: FINE, none: FINE })).warning).toContain('GITMOUTH_SANDBOX=none');
  await expect(choose('none', false, { bubblewrap: FINE, none: BROKEN })).rejects.toThrow(/mend it/);
});
