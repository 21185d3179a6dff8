/** Host keys that the platform keeps, so that all gitmouths in front of it are one to their clients. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { Door, execute, until } from '../../support/door.js';
import { PlatformInstallation } from '../../support/platform/installation.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { makePair } from '../../adapters/ssh2/ground.js';

const { describe, test } = needs('ssh', 'openssl');

const [first, second] = [makePair(), makePair()];
let platform: PlatformInstallation;
let door: Door;

beforeEach(async () => {
  platform = await PlatformInstallation.start(temporaryFolder('platform'));
  platform.api.hostKeys = [{ private_key: first.privateKey, state: 'current' }];
  door = new Door({ ...platform.environment, GITMOUTH_HOST_KEYS_FROM: 'platform' });
});

afterEach(async () => {
  await door.stop();
  await platform.stop();
});

async function shown(): Promise<string> {
  const { stdout } = await execute('ssh-keyscan', ['-t', 'ed25519', '-p', String(door.port), '127.0.0.1']);
  return /ssh-ed25519 (\S+)/.exec(stdout)?.[1] ?? stdout;
}

async function hangUp(event: 'host-keys-changed' | 'problem'): Promise<Record<string, unknown>> {
  const count = door.events(event).length;
  door.signal('SIGHUP');
  await until(
    () => door.events(event).length > count,
    20_000,
    () => `no ${event}:\n${door.said}${door.log}`,
  );
  return door.events(event).at(-1) ?? {};
}

describe('a gitmouth whose host keys are the platform’s', () => {
  test('serves by them, takes others at SIGHUP, keeps them over an outage, and writes none down', async () => {
    await door.start();
    expect(door.events('server-started')[0]).toMatchObject({ hostKeys: [`ssh-ed25519 ${first.fingerprint}`] });
    expect(await shown()).toBe(first.blob.toString('base64'));

    platform.api.misbehave('hostKeys', 'broken');
    expect((await hangUp('problem'))['message']).toMatch(
      /^the configuration was not reloaded, and nothing has changed: the host keys can't be had from the platform \(GITMOUTH_HOST_KEYS_FROM=platform\): .*status 500/,
    );
    expect(await shown()).toBe(first.blob.toString('base64'));

    platform.api.behave();
    platform.api.hostKeys = [
      { private_key: first.privateKey, state: 'next' },
      { private_key: second.privateKey, state: 'current' },
    ];
    const hostKeys = [`ssh-ed25519 ${second.fingerprint}`, `ssh-ed25519 ${first.fingerprint} (next)`];
    expect(await hangUp('host-keys-changed')).toMatchObject({ hostKeys });
    expect(await shown()).toBe(second.blob.toString('base64'));

    expect(door.said).toContain(`ssh-ed25519  ${first.fingerprint}\n`);
    const listed = await door.cli('hostkey', 'list');
    expect(listed.stdout).toMatch(new RegExp(`current +ssh-ed25519 +${escaped(second.fingerprint)}`));
    expect(listed.stdout).toMatch(new RegExp(`next +ssh-ed25519 +${escaped(first.fingerprint)}`));
    const added = await door.cli('hostkey', 'add');
    expect(added).toMatchObject({ code: 1, stderr: expect.stringContaining("the host keys are the platform's") });
    const examined = await door.cli('doctor');
    expect(examined.stdout).toContain(`host keys: ${hostKeys.join(', ')}`);

    expect(existsSync(join(door.data, 'host-keys'))).toBe(false);
    expect(readdirSync(door.data)).not.toContain('host-keys');
    expect(door.log + door.said + examined.stdout).not.toMatch(/PRIVATE KEY|b3BlbnNzaC1rZXk/);
    expect(platform.api.violations).toEqual([]);
  });

  test('does not start without them, and says why', async () => {
    platform.api.hostKeys = [{ private_key: first.privateKey, state: 'next' }];
    await expect(door.start()).rejects.toThrow(
      "the host keys can't be had from the platform (GITMOUTH_HOST_KEYS_FROM=platform): there is no current key of the type ssh-ed25519 or ssh-rsa",
    );
    await platform.api.stop();
    await expect(door.start()).rejects.toThrow(/the host keys can't be had from the platform .*ECONNREFUSED/);
  });
});

function escaped(text: string): string {
  return text.replaceAll(/[+/]/g, '\\$&');
}
