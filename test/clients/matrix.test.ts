/** Every client that people use lists, clones and pushes, with each kind of key that it can, in each set it works in. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { AlgorithmSet } from '../../src/domain/algorithm-set.js';
import { needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';
import { git, succeeded, type Client } from './client.js';
import { CLIENTS, openssh } from './clients.js';
import { makeKeys, type KeyKind } from './keys.js';
import { Place } from './place.js';

const APP = 'app';
const places = new Map<AlgorithmSet, Place>();
let work: string;

/** The modern door over IPv4, the compatible one over IPv6. */
beforeAll(async () => {
  const keys = await makeKeys();
  places.set('modern', await Place.open(keys, 'modern'));
  places.set('compatible', await Place.open(keys, 'compatible', { host: '::1' }));
  work = await place('modern').alice.repository({ 'README.md': 'hello\n' });
  for (const each of places.values()) {
    const visit = each.visit('Ed25519', APP);
    succeeded(await git(visit, { words: openssh(visit), variant: 'ssh' }, 'push', work, 'main'));
  }
});

afterAll(async () => {
  for (const each of places.values()) await each.stop();
});

function place(algorithms: AlgorithmSet): Place {
  const found = places.get(algorithms);
  if (found === undefined) throw new Error(`no place that is ${algorithms}`);
  return found;
}

type Cell = readonly [AlgorithmSet, KeyKind];

/** A key decides the log-in alone, so that one of each family is tried whole, and the others are seen to log in. */
const FAMILIES: readonly KeyKind[] = ['Ed25519', 'ECDSA P-256', 'RSA'];

/** In the wider set one key is tried whole, as nothing is taken away there. */
function cellsOf({ works: { modern, compatible } }: Client): {
  readonly whole: readonly Cell[];
  readonly seen: readonly Cell[];
} {
  const cells = [...modern.map((key): Cell => ['modern', key]), ...compatible.map((key): Cell => ['compatible', key])];
  const isWhole = ([algorithms, key]: Cell) =>
    FAMILIES.includes(key) && (algorithms === 'modern' || modern.length === 0 || key === compatible[0]);
  return { whole: cells.filter(isWhole), seen: cells.filter((cell) => !isWhole(cell)) };
}

describe.each(CLIENTS)('$name', (client) => {
  const { test } = needs('git', 'ssh', 'ssh-keygen', ...client.programs);
  const { whole, seen } = cellsOf(client);

  test.each(whole)('%s, with a key of %s: pushes, lists and clones', async (algorithms, key) => {
    const { door, alice, visit } = at(algorithms, key);
    const branch = `${client.name}-${key}`.replace(/[^A-Za-z0-9]+/g, '-');
    await alice.commit(work, { [branch]: `${algorithms}\n` });
    const id = await alice.must(work, 'rev-parse', 'HEAD');

    succeeded(await client.run(visit, 'push', work, `refs/heads/main:refs/heads/${branch}`));
    expect(await door.inRepository(APP, 'rev-parse', branch)).toBe(id);

    const listed = succeeded(await client.run(visit, 'ls-remote'));
    expect(listed.split('\n')).toContain(`${id}\trefs/heads/${branch}`);

    const clone = join(temporaryFolder('clone'), 'it');
    mkdirSync(clone);
    succeeded(await client.run(visit, 'clone', clone));
    expect(await alice.must(clone, 'cat-file', '-t', id)).toBe('commit');
    expect(await alice.must(clone, 'fsck', '--strict')).toBe('');
  });

  test.each(seen)('%s, with a key of %s: lists', async (algorithms, key) => {
    const listed = succeeded(await client.run(at(algorithms, key).visit, 'ls-remote'));
    expect(listed).toMatch(/^[0-9a-f]{40}\trefs\/heads\/main$/m);
  });
});

function at(algorithms: AlgorithmSet, key: KeyKind) {
  const found = place(algorithms);
  return { door: found.door, alice: found.alice, visit: found.visit(key, APP) };
}
