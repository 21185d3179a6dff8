/** Which settings a reload takes over, and that it takes over nothing else. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readConfig, settings, type Config } from '../../src/app/config.js';
import { differences, reloaded } from '../../src/app/reload.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('reload');
const [authorities, revoked] = [join(folder, 'ca.pub'), join(folder, 'revoked')];
writeFileSync(authorities, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0k25/ilaBLpGmp79/6b09sjZw4SflkkNhCT983G6fv\n');
writeFileSync(revoked, 'serial: 7\n');

/** Another value than the default, for settings that are no plain numbers. */
const OTHERS: Readonly<Record<string, string>> = {
  GITMOUTH_DATA: '/elsewhere',
  GITMOUTH_LISTEN: '127.0.0.1:2',
  GITMOUTH_LOGIN_NAME: 'git',
  GITMOUTH_ALGORITHMS: 'compatible',
  GITMOUTH_HOOKS: '/hooks',
  GITMOUTH_SANDBOX: 'none',
  GITMOUTH_DYNO_NETWORK: 'on',
  GITMOUTH_CREATE_ON_PUSH: 'off',
  GITMOUTH_ADAPTERS: './mine.js',
  GITMOUTH_LOG: 'json',
  GITMOUTH_LOG_LEVEL: 'error',
  GITMOUTH_USER_CA: authorities,
  GITMOUTH_CERTIFICATE_USER: 'key-id',
  GITMOUTH_REVOKED: revoked,
  GITMOUTH_PUSH_LOCK: 'refuse',
  GITMOUTH_STATE: 'redis://127.0.0.1',
  GITMOUTH_HEALTH_LISTEN: '127.0.0.1:3',
  GITMOUTH_PENALTIES: 'off',
  GITMOUTH_PENALTY_EXEMPT: '192.0.2.0/24',
  GITMOUTH_PROXY_FROM: '192.0.2.0/24',
  GITMOUTH_DYNOS: '40',
  GITMOUTH_DYNOS_PER_USER: '3',
};

const HELD_BY_A_START = [
  ...['GITMOUTH_DATA', 'GITMOUTH_LISTEN', 'GITMOUTH_ADAPTERS', 'GITMOUTH_LOG', 'GITMOUTH_LOCK_LEASE_SECONDS'],
  ...['GITMOUTH_STATE'],
  'GITMOUTH_HEALTH_LISTEN',
];

/** Of the embedded platform; what other platforms are set by is theirs from the start on. */
const OF_A_PLATFORM = new RegExp(
  '^(?:APISERVER|DYNOHOST)_|^GITMOUTH_(?:CONFIG$|PLATFORM|API_|PROVISION|DYNO_CONNECT|DYNO_SSH|DYNO_HOST|DYNO_START|HOST_KEYS|PORT|PRIVATE|PUBLIC)',
);
const CASES = settings.map(({ name }) => name).filter((name) => !OF_A_PLATFORM.test(name));

function otherOf(name: string): string {
  const setting = settings.find((one) => one.name === name);
  return OTHERS[name] ?? String(Number(setting?.defaultText) + (name.endsWith('UNAUTHENTICATED_PER_SOURCE') ? -1 : 1));
}

/** Without what it was written as. */
function meaning({ written: _written, ...rest }: Config): object {
  return rest;
}

const present = readConfig({}, {}, 2);

describe('a setting that is written anew', () => {
  test.each(CASES.filter((name) => !HELD_BY_A_START.includes(name)))('%s holds from the reload on', (name) => {
    const wanted = readConfig({}, { [name]: otherOf(name) }, 2);
    expect(meaning(wanted)).not.toEqual(meaning(present));
    expect(differences(present, wanted)).toEqual({ changed: [name], needRestart: [] });
    const next = reloaded(present, wanted);
    expect(next).toEqual(wanted);
    expect(differences(next, wanted)).toEqual({ changed: [], needRestart: [] });
    expect(reloaded(next, present)).toEqual(present);
  });

  test.each(HELD_BY_A_START)('%s needs a restart, and is named again by the next reload', (name) => {
    const wanted = readConfig({}, { [name]: otherOf(name) }, 2);
    expect(meaning(wanted)).not.toEqual(meaning(present));
    const next = reloaded(present, wanted);
    expect(next).toEqual(present);
    expect(differences(next, wanted)).toEqual({ changed: [], needRestart: [name] });
  });

  test('beside one that needs a restart holds all the same', () => {
    const wanted = readConfig({}, { GITMOUTH_LISTEN: '127.0.0.1:2', GITMOUTH_LOGIN_NAME: 'git' }, 2);
    expect(differences(present, wanted)).toEqual({
      changed: ['GITMOUTH_LOGIN_NAME'],
      needRestart: ['GITMOUTH_LISTEN'],
    });
    expect(reloaded(present, wanted)).toMatchObject({ loginName: 'git', listen: [{ port: 2222 }] });
  });
});
