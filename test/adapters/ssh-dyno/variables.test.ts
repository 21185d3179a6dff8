/** How a session's variables get into a dyno behind OpenSSH's server: as environment, or in front of the command. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { VariablesWay } from '../../../src/adapters/ssh-dyno/start-command.js';
import { isFault, type Fault } from '../../../src/domain/fault.js';
import { never, rejectionOf } from '../../../src/contracts/contract.js';
import { read } from '../../../src/contracts/dyno-driver.js';
import { needs } from '../../support/programs.js';
import { Sshd } from '../../support/ssh-dyno/sshd.js';
import { clientKey, dynoAt, transportWith } from './ground.js';

const { describe, test } = needs('sshd', 'bwrap');

/** Two that the one server accepts and the other does not, and one that both do. */
const PLAN = {
  environment: { GIT_PROTOCOL: 'version=2', STAGE: "it's\n\\on $(id)", GITMOUTH_APP: 'shop' },
  secrets: [] as string[],
};
const SECRET = 'hunter2-and-more';
const WITH_SECRET = { environment: { ...PLAN.environment, TOKEN: SECRET }, secrets: ['TOKEN'] };

let open: Sshd;
let narrow: Sshd;

/** The command as it was asked for is a variable then (sshd_config(5)). */
const SHOWN = ['ForceCommand exec sh -c "$SSH_ORIGINAL_COMMAND"'];

/** What the command sees of its variables, and how it was asked for, which the whole machine may see. */
async function seen(sshd: Sshd, variables: VariablesWay, plan = PLAN): Promise<Record<string, string>> {
  const names = ['GIT_PROTOCOL', 'STAGE', 'GITMOUTH_APP', 'TOKEN'];
  const say = names.map((name) => `printf '%s\\0' "\${${name}-unset}"`).join('; ');
  const script = `sh -c '${say.replaceAll("'", `'\\''`)}; printf %s "$SSH_ORIGINAL_COMMAND"'`;
  const session = await transportWith({ variables, commandOf: () => script }).open(dynoAt(sshd, { plan }), never());
  session.stderr.resume();
  const [values, rest] = [names, (await read(session.stdout)).toString().split('\0')];
  await session.close();
  const found = values.map((name, at) => [name, rest[at] ?? '']);
  return { ...Object.fromEntries(found), command: rest[values.length] ?? '' } as Record<string, string>;
}

async function refused(sshd: Sshd, variables: VariablesWay, plan = PLAN): Promise<Fault> {
  const fault = await rejectionOf(transportWith({ variables }).open(dynoAt(sshd, { plan }), never()));
  if (!isFault(fault)) throw new Error(String(fault));
  expect([fault.code, fault.stage]).toEqual(['GM_DYNO_START', 'connect']);
  expect(fault.message).not.toContain(SECRET);
  return fault;
}

describe('the variables of a session', () => {
  beforeAll(async () => {
    open = await Sshd.start(clientKey().publicKey, { acceptEnv: 'GIT_PROTOCOL STAGE TOKEN GITMOUTH_*', more: SHOWN });
    narrow = await Sshd.start(clientKey().publicKey, { acceptEnv: 'GITMOUTH_*', more: SHOWN });
  });
  afterAll(async () => {
    await open.stop();
    await narrow.stop();
  });

  test.each(['auto', 'environment'] as const)('go as environment where it is accepted (%s)', async (way) => {
    const { command, ...values } = await seen(open, way, WITH_SECRET);
    expect(values).toEqual(WITH_SECRET.environment);
    expect(command).toMatch(/^sh -c /);
  });

  test('go in front of the command where they are not accepted, and only those', async () => {
    const { command, ...values } = await seen(narrow, 'auto');
    expect(values).toEqual({ ...PLAN.environment, TOKEN: 'unset' });
    expect(command).toContain('STAGE=');
    expect(command).not.toContain('GITMOUTH_APP=');
  });

  test('go all in front of the command where that is set, but for the secret ones', async () => {
    const { command, ...values } = await seen(open, 'command', WITH_SECRET);
    expect(values).toEqual(WITH_SECRET.environment);
    expect(command).toContain('GITMOUTH_APP=');
    expect(command).not.toContain(SECRET);
  });

  test('are a fault that names the first refused one, where nothing else is allowed', async () => {
    const { message } = await refused(narrow, 'environment');
    expect(message).toMatch(/refuses the variable STAGE: .*AcceptEnv/);
  });

  test('may lack the protocol, which git can do without', async () => {
    const { GIT_PROTOCOL, ...environment } = PLAN.environment;
    expect(GIT_PROTOCOL).toBe('version=2');
    const plan = { environment: { GIT_PROTOCOL, GITMOUTH_APP: environment.GITMOUTH_APP }, secrets: [] as string[] };
    expect(await seen(narrow, 'environment', plan as typeof PLAN)).toMatchObject({
      GIT_PROTOCOL: 'unset',
      GITMOUTH_APP: 'shop',
    });
  });

  test.each(['auto', 'command', 'environment'] as const)(
    'that are secret are never moved in front of it (%s)',
    async (way) => {
      const plan = { environment: { TOKEN: SECRET }, secrets: ['TOKEN'] };
      const { message } = await refused(narrow, way, plan as unknown as typeof PLAN);
      expect(message).toMatch(/the variable TOKEN is secret, and the dyno refuses it: .*AcceptEnv/);
      expect(narrow.log).not.toContain(SECRET);
    },
  );

  test('that are too long for a command line are a fault that says so', async () => {
    const long = { environment: { STAGE: 'x'.repeat(40_000) }, secrets: [] as string[] };
    const { message } = await refused(narrow, 'auto', long as unknown as typeof PLAN);
    expect(message).toContain('too long for a command line');
  });
});
