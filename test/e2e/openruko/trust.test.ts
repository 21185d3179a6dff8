/** Whom the program takes for its API server and its dyno hosts, and that the original's settings still start it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { execute, Person, type Door } from '../../support/door.js';
import { needs } from '../../support/programs.js';
import { ApiServer, SERVICE_KEY } from '../../support/openruko/api-server.js';
import { Authority } from '../../support/openruko/certificates.js';
import { temporaryFolder } from '../../support/temporary.js';
import { expectNoSecrets, FAULT_WORDS, openPlace, type Place } from './ground.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'openssl');

const UNSET = '';

describe('a program in front of Openruko', () => {
  let place: Place;
  let alice: Person;
  let work: string;
  /** Of an authority that has signed nothing here. */
  let foreignCa: string;

  beforeAll(async () => {
    place = await openPlace();
    alice = await place.person('alice', '1');
    place.openruko.createApp('shop', '1');
    work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('shop'), 'main');
    foreignCa = join(temporaryFolder('foreign'), 'ca.crt');
    writeFileSync(foreignCa, new Authority().certificate);
  });

  afterAll(() => place.close());

  function through(door: Door): Person {
    return new Person(alice.name, alice.home, alice.keyFile, door);
  }

  /** What alice gets through a door with these settings; no key is in it, nor in its log. */
  async function outcomeWith(environment: Record<string, string>) {
    const door = await place.another(environment);
    const calls = place.openruko.api.calls.length;
    const { code, stderr } = await through(door).git(work, 'ls-remote', through(door).url('shop'));
    await door.stop();
    expectNoSecrets(stderr + door.log + door.said, place.openruko);
    const faults = [...door.events('fault'), ...door.events('session-ended')].flatMap(({ fault }) => fault ?? []);
    return { code, stderr, faults, calls: place.openruko.api.calls.length - calls };
  }

  test('tells no API server a key that is not the right one, and its users of a fault', async () => {
    const { code, stderr, faults, calls } = await outcomeWith({ GITMOUTH_API_CA: foreignCa });
    expect({ code, calls }).toEqual({ code: 128, calls: 0 });
    expect(stderr).toContain(FAULT_WORDS);
    expect(stderr).not.toMatch(/denied|certificate/i);
    expect(faults).toMatchObject([{ code: 'GM_BAD_ANSWER', stage: 'identify' }]);
    expect(faults).toMatchObject([{ message: expect.stringContaining("the certificate can't be trusted") }]);
  });

  test('tells no dyno host one either, when it is not the right one', async () => {
    const { code, stderr, faults } = await outcomeWith({ GITMOUTH_DYNO_HOST_CA: foreignCa });
    expect(code).toBe(128);
    expect(stderr).toContain(FAULT_WORDS);
    expect(faults).toMatchObject([{ code: 'GM_BAD_ANSWER', stage: 'connect' }]);
    expect(faults).toMatchObject([{ message: expect.stringContaining("the certificate can't be trusted") }]);
    expect(place.openruko.dynoHost.connected).toEqual([]);
  });

  test('takes an expired certificate for none', async () => {
    const authority = new Authority();
    const ca = join(temporaryFolder('expired'), 'ca.crt');
    writeFileSync(ca, authority.certificate);
    const expired = await ApiServer.start({ identity: authority.issueExpired() });
    try {
      const { code, stderr, faults } = await outcomeWith({ APISERVER_PORT: String(expired.port), GITMOUTH_API_CA: ca });
      expect({ code, stderr }).toEqual({ code: 128, stderr: expect.stringContaining(FAULT_WORDS) });
      expect(faults).toMatchObject([{ code: 'GM_BAD_ANSWER', message: expect.stringContaining('has expired') }]);
      expect(expired.calls).toEqual([]);
    } finally {
      await expired.stop();
    }
  });

  test('trusts the pinned certificate without knowing who signed it, and no other', async () => {
    const { sha256 } = place.openruko.identity;
    const { code, faults } = await outcomeWith({
      GITMOUTH_API_CA: UNSET,
      GITMOUTH_API_PIN: sha256,
      GITMOUTH_DYNO_HOST_CA: UNSET,
      GITMOUTH_DYNO_HOST_PIN: 'ab'.repeat(32),
    });
    expect(code).toBe(128);
    expect(faults).toMatchObject([
      { stage: 'connect', message: expect.stringContaining(`${sha256} is not the pinned one`) },
    ]);
  });

  test('says loudly, at each start, that it verifies nobody or speaks plainly', async () => {
    const off = { GITMOUTH_API_VERIFY: 'off', GITMOUTH_DYNO_HOST_VERIFY: 'off' };
    const unverified = await place.another({ ...off, GITMOUTH_API_CA: UNSET, GITMOUTH_DYNO_HOST_CA: UNSET });
    const plain = await place.another({ APISERVER_PROTOCOL: 'http', GITMOUTH_API_CA: UNSET });
    expect((await through(unverified).git(work, 'ls-remote', through(unverified).url('shop'))).code).toBe(0);
    await unverified.stop();
    await unverified.start();
    const problems = (door: Door) => door.events('problem').map(({ message }) => String(message));
    const api = expect.stringMatching(/^THE API IS NOT VERIFIED \(GITMOUTH_API_VERIFY=off\)/);
    const hosts = expect.stringMatching(/^DYNO HOSTS ARE NOT VERIFIED \(GITMOUTH_DYNO_HOST_VERIFY=off\)/);
    expect(problems(unverified)).toEqual([api, hosts, api, hosts]);
    const http = expect.stringMatching(/^THE API IS SPOKEN WITH OVER PLAIN HTTP/);
    expect(problems(plain)).toEqual([http]);
    expect(problems(place.door)).toEqual([]);
    for (const door of [unverified, plain]) expectNoSecrets(door.log + door.said, place.openruko);
  });

  test("starts with the original's settings alone, and its users find the host key they know", async () => {
    const keys = temporaryFolder('certs');
    const hostKey = join(keys, 'server.key');
    await execute('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '', '-f', hostKey]);
    const port = await freePort();
    const door = await place.another({
      APISERVER_KEY: SERVICE_KEY,
      APISERVER_PROTOCOL: 'https',
      APISERVER_HOSTNAME: 'localhost',
      APISERVER_PORT: String(place.openruko.api.port),
      DYNOHOST_RENDEZVOUS_PORT: String(place.openruko.dynoHost.port),
      GITMOUTH_PORT: String(port),
      GITMOUTH_PRIVATE_KEY: hostKey,
      GITMOUTH_PUBLIC_KEY: `${hostKey}.pub`,
      // The machine trusts who signed the certificates, and so nothing of gitmouth's own has to be set.
      NODE_EXTRA_CA_CERTS: place.openruko.caFile,
      GITMOUTH_API_CA: UNSET,
      GITMOUTH_DYNO_HOST_CA: UNSET,
      GITMOUTH_LISTEN: UNSET,
    });
    expect(door.events('server-started')[0]).toMatchObject({ address: `0.0.0.0:${port}`, platform: 'openruko' });
    const knownHosts = join(keys, 'known_hosts');
    const [type = '', blob = ''] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
    writeFileSync(knownHosts, `[127.0.0.1]:${port} ${type} ${blob}\n`);
    const options = through(door).sshOptions.map((option) =>
      option.startsWith('UserKnownHostsFile=') ? `UserKnownHostsFile=${knownHosts}` : option,
    );
    const env = { ...alice.environment, GIT_SSH_COMMAND: ['ssh', ...options].join(' ') };
    const pushed = await execute('git', ['push', through(door).url('shop'), 'main:again'], { cwd: work, env });
    expect(pushed).toMatchObject({ code: 0, stderr: expect.stringContaining('[new branch]') });
  });
});

/** One that nobody listens on, a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
