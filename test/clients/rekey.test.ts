/** New keys every megabyte in the middle of a clone: made by the server with every client, and by clients that can. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Result } from '../support/door.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { git, succeeded, type Client, type Visit } from './client.js';
import { CLIENTS, openssh } from './clients.js';
import { makeKeys, type KeyKind } from './keys.js';
import { Place } from './place.js';

const MIB = 1024 ** 2;
const SIZE_MIB = process.env['GITMOUTH_SOAK'] === '1' ? 32 : 8;
/** What is under way on the wire when an exchange begins still comes by the old keys, so that there are fewer than megabytes. */
const FEWEST_EXCHANGES = SIZE_MIB / 4;
/** Random, so that git makes it no smaller. */
const CONTENT = randomBytes(SIZE_MIB * MIB);
const APP = 'app';

const { describe: withSsh } = needs('git', 'ssh', 'ssh-keygen');

/** Every client works with the compatible set. The first door makes new keys each megabyte, the second never here. */
let rekeying: Place;
let patient: Place;
let id: string;

withSsh('new keys every megabyte', () => {
  beforeAll(async () => {
    const keys = await makeKeys();
    rekeying = await Place.open(keys, 'compatible', { GITMOUTH_REKEY_MIB: '1' });
    patient = await Place.open(keys, 'compatible');
    const { alice } = rekeying;
    const work = await alice.repository({ 'README.md': 'hello\n' });
    writeFileSync(join(work, 'content'), CONTENT);
    await alice.commit(work, {});
    id = await alice.must(work, 'rev-parse', 'HEAD');
    for (const place of [rekeying, patient]) {
      const pushed = await verbose(place.visit('Ed25519', APP), 'push', work, 'main');
      expect(pushed).toMatchObject({ code: 0 });
      if (place === rekeying) expect(exchanges(pushed)).toBeGreaterThan(FEWEST_EXCHANGES);
      else expect(exchanges(pushed)).toBe(1);
      expect(await place.door.inRepository(APP, 'rev-parse', 'main')).toBe(id);
    }
  });

  afterAll(async () => {
    await rekeying.stop();
    await patient.stop();
  });

  test('are made by the server in a clone by OpenSSH, and by OpenSSH itself where it wants them', async () => {
    const visit = patient.visit('Ed25519', APP);
    for (const wanting of [rekeying.visit('Ed25519', APP), { ...visit, rekeyBytes: MIB }]) {
      const cloned = await expectWhole((folder) => verbose(wanting, 'clone', folder));
      expect(exchanges(cloned)).toBeGreaterThan(FEWEST_EXCHANGES);
    }
    expect(exchanges(await expectWhole((folder) => verbose(visit, 'clone', folder)))).toBe(1);
  });

  describe.each(CLIENTS.filter(({ name }) => name !== 'OpenSSH'))('$name', (client) => {
    const { test: withClient } = needs(...client.programs);
    const key = bestKey(client);

    withClient('clones whole from a server that makes them', async () => {
      await expectWhole((folder) => client.run(rekeying.visit(key, APP), 'clone', folder));
    });

    if (client.name !== "Go's x/crypto") return;
    withClient('clones whole when it makes them itself', async () => {
      const visit = { ...patient.visit(key, APP), rekeyBytes: MIB };
      await expectWhole((folder) => client.run(visit, 'clone', folder));
    });
  });
});

function bestKey({ works, name }: Client): KeyKind {
  const [key] = works.compatible;
  if (key === undefined) throw new Error(`${name} works with no key`);
  return key;
}

async function expectWhole(clone: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = join(temporaryFolder('clone'), 'it');
  mkdirSync(folder);
  const result = await clone(folder);
  succeeded(result);
  const { alice } = rekeying;
  expect(await alice.must(folder, 'rev-parse', 'HEAD')).toBe(id);
  expect(await alice.must(folder, 'fsck', '--strict')).toBe('');
  expect(readFileSync(join(folder, 'content')).equals(CONTENT)).toBe(true);
  return result;
}

function verbose(visit: Visit, ...rest: Parameters<typeof git> extends [unknown, unknown, ...infer R] ? R : never) {
  return git(visit, { words: openssh(visit, '-v'), variant: 'ssh' }, ...rest);
}

/** How many key exchanges `ssh -v` told of. */
function exchanges({ stderr }: Result): number {
  return stderr.split('SSH2_MSG_NEWKEYS received').length - 1;
}
