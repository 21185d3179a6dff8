/** The operator's commands for users and keys, all while the server runs: what they do counts from the next request on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Door, type Person } from '../support/door.js';
import { Master } from '../support/master.js';
import { newKey, Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const door = new Door();
const operator = new Operator(door);
let owner: Person;
let folder: string;

beforeAll(async () => {
  await door.start();
  [owner] = await Promise.all([door.person('owner'), door.person('friend')]);
  folder = await owner.repository();
  await owner.must(folder, 'push', '-q', owner.url('shared'), 'main');
});

afterAll(() => door.stop());

describe('users and keys', () => {
  test('are added, listed and removed', async () => {
    const [one, two, three] = await Promise.all([newKey('laptop'), newKey('desk'), newKey('phone')]);
    const added = await door.cli('user', 'add', 'carl', '--key', one.file, '--key', two.file);
    expect(added).toEqual({ code: 0, stdout: expect.stringContaining('Added the user carl.'), stderr: '' });
    for (const { fingerprint } of [one, two]) expect(added.stdout).toContain(fingerprint);
    expect(await operator.listed('user', 'list')).toContainEqual(
      expect.objectContaining({ name: 'carl', keys: 2, apps: 0 }),
    );
    expect((await door.cli('user', 'list')).stdout).toMatch(/^carl +2 +0 +\d{4}-\d\d-\d\d$/m);

    expect((await door.cli('key', 'add', 'carl', three.file)).stdout).toContain(
      `Added ssh-ed25519 ${three.fingerprint}`,
    );
    expect((await door.cli('key', 'add', 'carl', three.file)).stdout).toContain(`Already there:`);
    const keys = await operator.listed('key', 'list', 'carl');
    expect(keys.map(({ sha256, comment }) => [sha256, comment]).sort()).toEqual(
      [one, two, three].map(({ fingerprint }, index) => [fingerprint, ['laptop', 'desk', 'phone'][index]]).sort(),
    );
    expect((await door.cli('key', 'list', 'carl')).stdout).toContain('phone');

    expect(await door.cli('key', 'remove', 'carl', three.fingerprint)).toMatchObject({ code: 0, stderr: '' });
    expect(await operator.listed('key', 'list', 'carl')).toHaveLength(2);
    expect(await door.cli('user', 'remove', 'carl')).toEqual({
      code: 0,
      stdout: 'Removed the user carl.\n',
      stderr: '',
    });
    expect(await operator.listed('user', 'list')).not.toContainEqual(expect.objectContaining({ name: 'carl' }));
    expect((await door.cli('user', 'add', 'someone-else', '--key', one.file)).code).toBe(0);
  });

  test('a key counts from the next log-in on', async () => {
    const late = await door.person('late', { isStranger: true });
    expect((await late.ssh(['-T'])).stderr).toContain('Permission denied (publickey)');
    expect((await door.cli('user', 'add', 'late')).stdout).toContain('key add late FILE');
    expect((await door.cli('key', 'add', 'late', late.publicKeyFile)).code).toBe(0);
    expect((await late.ssh(['-T'])).stderr).toContain('Hi late!');
  });

  test('a removed key ends the connections that proved it, and no others', async () => {
    const leaver = await door.person('leaver');
    const [leaving, staying] = [await Master.open(leaver), await Master.open(owner)];
    try {
      const [key] = await operator.listed('key', 'list', 'leaver');
      expect((await door.cli('key', 'remove', 'leaver', String(key?.['sha256']))).code).toBe(0);
      await leaving.process.ended();
      // A key that is still remembered is let in, to be told, and to nothing else.
      expect((await leaver.ssh(['-T'])).stderr).toMatch(/Permission denied|Your key was removed/);
      expect((await staying.git(folder, 'ls-remote', owner.url('shared'))).code).toBe(0);
    } finally {
      await Promise.all([leaving.close(), staying.close()]);
    }
  });

  test('bad input is answered by a sentence that says what to do', async () => {
    const { file } = await newKey();
    const privateFile = file.slice(0, -'.pub'.length);
    const text = join(temporaryFolder('text'), 'text');
    writeFileSync(text, 'ssh-ed25519 no-key-at-all\n');
    const both = join(temporaryFolder('text'), 'both');
    writeFileSync(both, '# nothing but words\n');
    await operator.allRefused([
      [['user', 'add', 'Not A Name'], /can't name a user\. A name has at most 32 lower-case letters/],
      [['user', 'add', 'owner'], /There is a user 'owner' already\. To give them a key: key add owner FILE/],
      [['user', 'add', 'x', '--key', privateFile], /holds a private key: give the file that ends in \.pub/],
      [['user', 'add', 'x', '--key', '/no/such.pub'], /no\/such\.pub can't be read \(ENOENT\): give/],
      [['user', 'add', 'x', '--key', text], /text, line 1: this is not a public key/],
      [['user', 'add', 'x', '--key', both], /holds no public key/],
    ]);
    expect(await operator.listed('user', 'list')).not.toContainEqual(expect.objectContaining({ name: 'x' }));
    await operator.allRefused([
      [['user', 'remove', 'nobody'], /There is no user 'nobody'/],
      [['user', 'remove', 'owner'], /'owner' owns shared\. Destroy each of them/],
      [['key', 'add', 'nobody', file], /There is no user 'nobody'/],
      [['key', 'add', 'friend', owner.publicKeyFile], /belongs to 'owner'.*key remove owner SHA256:/],
      [['key', 'list', 'nobody'], /There is no user 'nobody'/],
      [['key', 'remove', 'owner', 'SHA256:nothing'], /'owner' has no key .*Their keys: key list owner/],
      [['user', 'add'], /missing required argument 'name'/],
      [['user'], /Usage: gitmouth user/],
    ]);
  });
});
