/** Security keys from the operator's command to a push by OpenSSH, whose agent holds a key in software. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Agent } from '../support/agent.js';
import { Door, execute, Person, type Result } from '../support/door.js';
import { newKey, Operator } from '../support/operator.js';
import { needs, NEWER_SSH } from '../support/programs.js';
import { FLAGS, makeSecurityKey, type SecurityKey, type SecurityKeyType } from '../support/security-key.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const door = new Door();
const operator = new Operator(door);
const agents: Agent[] = [];

beforeAll(() => door.start());

afterAll(async () => {
  await door.stop();
  for (const agent of agents) await agent.stop();
});

/** Somebody whose only key is in an agent, and how they run git over this ssh. */
async function holder(name: string, type: SecurityKeyType, program = 'ssh') {
  const key = makeSecurityKey(type);
  const said = { flags: FLAGS.PRESENT as number };
  const signing: SecurityKey = { ...key, sign: (data) => key.sign(data, said) };
  const agent = await Agent.start(signing);
  agents.push(agent);
  const home = temporaryFolder(name);
  const person = new Person(name, home, join(home, 'id'), door);
  // What ssh looks for in the agent; there is no private file.
  for (const file of [person.keyFile, person.publicKeyFile]) writeFileSync(file, `${key.line}\n`, { mode: 0o600 });
  // The first value of an option counts.
  const command = [program, '-o', `IdentityAgent=${agent.path}`, ...person.sshOptions].join(' ');
  const git = (cwd: string, ...args: string[]): Promise<Result> =>
    execute('git', args, { cwd, env: { ...person.environment, GIT_SSH_COMMAND: command } });
  return { person, git, said };
}

describe.each([
  { name: 'openssh', program: 'ssh', type: 'ed25519-sk', needed: [] },
  { name: 'openssh10', program: NEWER_SSH, type: 'ecdsa-sk', needed: ['newer-ssh'] },
] as const)('$name', ({ name, program, type, needed }) => {
  const { test: withSsh } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', ...needed);

  withSsh(`pushes and fetches with a key of the type ${type}`, async () => {
    const { person, git } = await holder(name, type, program);
    expect((await door.cli('user', 'add', name, '--key', person.publicKeyFile)).code).toBe(0);
    const folder = await person.repository();
    expect(await git(folder, 'push', '-q', person.url(name), 'main')).toMatchObject({ code: 0 });
    expect((await git(folder, 'ls-remote', person.url(name))).stdout).toMatch(/^[0-9a-f]{40}\tHEAD$/m);
  });
});

describe('a key that must verify its user', () => {
  test('is let in once it has, and its holder is told why not before', async () => {
    const { person, git, said } = await holder('vera', 'ed25519-sk');
    expect((await door.cli('user', 'add', 'vera')).code).toBe(0);
    const add = ['key', 'add', 'vera', '--verify-required'] as const;
    const { file } = await newKey();
    await operator.refused([...add, file], /ssh-ed25519, which can't verify its user/);
    expect((await door.cli(...add, person.publicKeyFile)).stdout).toMatch(/^Added sk-ssh-ed25519@openssh\.com SHA256:/);
    expect((await door.cli('key', 'list', 'vera')).stdout).toMatch(/^SHA256:\S+ +sk-ssh\S+ +\S+ +required +software$/m);

    const folder = await person.repository();
    const refused = await git(folder, 'push', '-q', person.url('veras'), 'main');
    expect(refused.code).toBe(128);
    expect(refused.stderr).toContain('This security key must ask for its PIN or your fingerprint, and did not.');
    expect(door.events('login-failed').map(({ reason }) => reason)).toEqual(['user-not-verified']);
    said.flags = FLAGS.PRESENT_AND_VERIFIED;
    expect(await git(folder, 'push', '-q', person.url('veras'), 'main')).toMatchObject({ code: 0 });
  });
});
