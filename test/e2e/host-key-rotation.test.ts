/** A host key that is changed without anybody being asked, watched from the known_hosts of an OpenSSH client. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { Door, execute, until, type Person } from '../support/door.js';
import { needs, NEWER_SSH } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen');
const { test: withNewer } = needs('git', 'ssh', 'ssh-keygen', 'newer-ssh');

interface ShownHostKey {
  readonly algorithm: string;
  readonly fingerprint: string;
  readonly publicKey: string;
  readonly state: string;
}

let door: Door;

afterEach(() => door.stop());

async function hostKeys(): Promise<readonly ShownHostKey[]> {
  return JSON.parse(await said('hostkey', 'list', '--json')) as readonly ShownHostKey[];
}

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await door.cli(...args);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** @returns what the log says of the new host keys. */
async function hangUp(): Promise<unknown> {
  const count = door.events('host-keys-changed').length;
  door.signal('SIGHUP');
  await until(
    () => door.events('host-keys-changed').length > count,
    20_000,
    () => `the host keys do not change:\n${door.said}${door.log}`,
  );
  return door.events('host-keys-changed').at(-1)?.['hostKeys'];
}

/** Somebody who has accepted one host key, and is asked about no other. */
class Visitor {
  readonly #ssh: string;
  readonly #person: Person;
  readonly #knownHosts = join(temporaryFolder('known'), 'known_hosts');

  constructor(ssh: string, person: Person, accepted: ShownHostKey) {
    this.#ssh = ssh;
    this.#person = person;
    writeFileSync(this.#knownHosts, `[127.0.0.1]:${door.port} ${accepted.publicKey}\n`);
  }

  get known(): readonly string[] {
    const lines = readFileSync(this.#knownHosts, 'utf8').trim().split('\n');
    return lines.map((line) => line.split(' ').slice(1, 3).join(' ')).sort();
  }

  /** @returns by which host key the server proved itself. */
  async visit(): Promise<string> {
    const { code, stderr } = await execute(
      this.#ssh,
      [
        ...[
          '-v',
          '-F',
          '/dev/null',
          '-i',
          this.#person.keyFile,
          '-o',
          'IdentitiesOnly=yes',
          '-o',
          'IdentityAgent=none',
        ],
        ...['-o', `UserKnownHostsFile=${this.#knownHosts}`, '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'],
        ...['-o', 'UpdateHostKeys=yes', '-o', 'HashKnownHosts=no', ...this.#person.target, "git-upload-pack 'none'"],
      ],
      { env: { HOME: this.#person.home, LC_ALL: 'C' } },
    );
    // Of an app that does not exist: they were let in.
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('none') });
    return /Server host key: \S+ (\S+)/.exec(stderr)?.[1] ?? stderr;
  }
}

async function rotates(ssh: string): Promise<void> {
  door = new Door();
  await door.start();
  const [old, rsa] = await hostKeys();
  if (old === undefined || rsa === undefined) throw new Error('no host keys');
  const visitor = new Visitor(ssh, await door.person('ada'), old);

  expect(await said('hostkey', 'add')).toContain(`gitmouth hostkey retire ${old.fingerprint}`);
  const next = (await hostKeys()).at(-1);
  if (next === undefined) throw new Error('no next key');
  expect(await hangUp()).toEqual([
    `ssh-ed25519 ${old.fingerprint}`,
    `ssh-rsa ${rsa.fingerprint}`,
    `ssh-ed25519 ${next.fingerprint} (next)`,
  ]);
  expect(await visitor.visit()).toBe(old.fingerprint);
  expect(visitor.known).toEqual([old, next, rsa].map(({ publicKey }) => publicKey).sort());

  await said('hostkey', 'retire', old.fingerprint);
  expect(await hangUp()).toEqual([`ssh-ed25519 ${next.fingerprint}`, `ssh-rsa ${rsa.fingerprint}`]);
  expect(await visitor.visit()).toBe(next.fingerprint);
  expect(visitor.known).toEqual([next, rsa].map(({ publicKey }) => publicKey).sort());
  expect(door.events('server-started')).toHaveLength(1);
}

describe('a host key that is rotated', () => {
  test('is learned by the OpenSSH that is here before it is used, and the old one is forgotten', () => rotates('ssh'));

  withNewer('is learned and forgotten by OpenSSH 10 as well', () => rotates(NEWER_SSH));
});
