import { describe, expect, test } from '@jest/globals';
import { planDyno } from '../../src/domain/dyno-policy.js';
import { isClientSignal } from '../../src/domain/dyno.js';
import type { Grant } from '../../src/domain/grant.js';
import { alice, HOSTILE_TEXT, sessionOf } from './someone.js';

const GRANT: Grant = { app: 'shop', access: 'write', lockMode: 'wait', creates: false };
const session = sessionOf();

const OURS = {
  GIT_PROTOCOL: 'version=2',
  GITMOUTH_USER: 'alice',
  GITMOUTH_KEY_FINGERPRINT: alice.key.sha256,
  GITMOUTH_APP: 'shop',
  GITMOUTH_SESSION_ID: 's-1',
  GITMOUTH_CLIENT_ADDRESS: '192.0.2.7',
};

describe('the plan of a dyno', () => {
  test('has the service that was asked for and the access that was granted', () => {
    expect(planDyno(session, GRANT)).toMatchObject({ service: 'git-receive-pack', access: 'write' });
    expect(planDyno(sessionOf('git-upload-pack'), { ...GRANT, access: 'read' })).toMatchObject({
      service: 'git-upload-pack',
      access: 'read',
    });
  });

  test('names in its environment who pushed, and nothing else: nothing is inherited', () => {
    expect(planDyno(session, GRANT).environment).toEqual(OURS);
  });

  test('names the deployed branch where there is one', () => {
    const { environment } = planDyno(session, { ...GRANT, branch: 'main' });
    expect(environment).toEqual({ ...OURS, GITMOUTH_BRANCH: 'main' });
  });

  test.each([
    [0, undefined],
    [1, 'version=1'],
    [2, 'version=2'],
  ] as const)('for protocol %i has GIT_PROTOCOL %s', (protocol, value) => {
    const { environment } = planDyno({ ...session, request: { ...session.request, protocol } }, GRANT);
    expect(environment['GIT_PROTOCOL']).toBe(value);
  });

  test('names the app as it was granted, not as it was asked for', () => {
    const { environment } = planDyno(sessionOf('git-receive-pack', 'SHOP'), GRANT);
    expect(environment['GITMOUTH_APP']).toBe('shop');
  });

  test('takes nothing of what the client merely says of itself', () => {
    const connection = { ...alice.connection, software: HOSTILE_TEXT, login: HOSTILE_TEXT };
    const { environment } = planDyno({ ...session, caller: { ...alice, connection } }, GRANT);
    expect(environment).toEqual(OURS);
  });

  test("takes no secret of the user's platform", () => {
    const user = { name: 'alice', credential: 'api-key-1' };
    expect(JSON.stringify(planDyno({ ...session, caller: { ...alice, user } }, GRANT))).not.toContain('api-key-1');
  });
});

describe("the environment a platform's grant adds", () => {
  const variables = (values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => ({ name, value, secret: false }));
  const planned = (values: Record<string, string>, protocol: 0 | 2 = 2) => {
    const grant = { ...GRANT, environment: variables(values) };
    return planDyno({ ...session, request: { ...session.request, protocol } }, grant).environment;
  };

  test('is there', () => {
    expect(planned({ STACK: 'node-20', X_1: '' })).toEqual({ ...OURS, STACK: 'node-20', X_1: '' });
  });

  test('names what is secret, and only of what it takes', () => {
    const environment = [
      { name: 'TOKEN', value: 't', secret: true },
      { name: 'STACK', value: 's', secret: false },
      { name: 'GIT_DIR', value: 'g', secret: true },
    ];
    expect(planDyno(session, { ...GRANT, environment }).secrets).toEqual(['TOKEN']);
  });

  test.each(Object.keys(OURS))('cannot set %s', (name) => {
    expect(planned({ [name]: 'forged' })).toEqual(OURS);
  });

  test.each([
    'GITMOUTH_BRANCH',
    'GITMOUTH_ANYTHING',
    'GIT_DIR',
    'GIT_CONFIG_COUNT',
    'GIT_EXEC_PATH',
    'GIT_QUARANTINE_PATH',
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'PATH',
    'HOME',
    'LANG',
  ])('cannot set %s, which is not its own', (name) => {
    expect(planned({ [name]: 'forged' })).toEqual(OURS);
  });

  test('cannot bring in a protocol that the client did not ask for', () => {
    expect(planned({ GIT_PROTOCOL: 'version=2' }, 0)['GIT_PROTOCOL']).toBeUndefined();
  });

  test.each([
    ['a name with an equals sign', { 'A=B': 'x' }],
    ['a name with a line end', { 'A\nB': 'x' }],
    ['a lower-case name', { stack: 'x' }],
    ['a name that begins with an underscore', { _X: 'x' }],
    ['a name of 65 characters', { ['A'.repeat(65)]: 'x' }],
    ['a value longer than 8192 characters', { A: 'x'.repeat(8193) }],
    ['an empty name', { '': 'x' }],
    ['a name that begins with a digit', { '1A': 'x' }],
    ['a name beyond ASCII', { ＰＡＴＨ: 'x' }],
    ['a value with a NUL', { A: 'x\u0000y' }],
  ])('leaves out %s', (_, environment) => {
    expect(planned(environment)).toEqual(OURS);
  });
});

describe('the signals a client may send', () => {
  test.each(['TERM', 'KILL', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'])('%s is one', (name) => {
    expect(isClientSignal(name)).toBe(true);
  });

  test.each(['', 'STOP', 'CONT', 'SEGV', 'SIGTERM', 'term', 'TERM\n', '9', 'toString'])('%j is none', (name) => {
    expect(isClientSignal(name)).toBe(false);
  });
});
