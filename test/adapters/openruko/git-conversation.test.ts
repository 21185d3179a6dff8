/** What real git says, cut at every byte: only all of it is a success. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { GitConversation, type Ending } from '../../../src/adapters/openruko/git-conversation.js';
import type { GitService } from '../../../src/domain/git-request.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';

const { test, describe } = needs('git');

interface Recorded {
  readonly service: GitService;
  readonly sent: Buffer;
  readonly said: Buffer;
}

function git(folder: string, ...args: readonly string[]): string {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  return execFileSync('git', ['-C', folder, ...identity, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function repository(): { folder: string; head: string } {
  const folder = temporaryFolder('conversation');
  git(folder, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(folder, 'file'), 'some words\n'.repeat(20));
  git(folder, 'add', 'file');
  git(folder, 'commit', '--quiet', '--message=first');
  git(folder, 'branch', 'other');
  return { folder, head: git(folder, 'rev-parse', 'HEAD') };
}

function packet(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

function record(service: GitService, folder: string, sent: string | Buffer): Recorded {
  const input = Buffer.from(sent);
  const { stdout } = spawnSync('git', [service.slice('git-'.length), folder], { input });
  return { service, sent: input, said: stdout };
}

function want(head: string, capabilities: string, more = ''): string {
  return `${packet(`want ${head} ${capabilities}\n`)}${more}0000${packet('done\n')}`;
}

function endingOf({ service, sent, said }: Recorded, pieces = said.length): Ending {
  const conversation = new GitConversation(service);
  conversation.heard(sent);
  for (let at = 0; at < said.length; at += pieces) conversation.said(said.subarray(at, at + pieces));
  return conversation.ending;
}

function conversations(): Record<string, Recorded> {
  const { folder, head } = repository();
  const none = '0'.repeat(40);
  const emptyPack = Buffer.from('5041434b0000000200000000', 'hex');
  const pack = Buffer.concat([emptyPack, createHash('sha1').update(emptyPack).digest()]);
  const push = (ref: string, capabilities: string) =>
    Buffer.concat([Buffer.from(`${packet(`${none} ${head} ${ref}\0${capabilities}`)}0000`), pack]);
  return {
    'a fetch': record('git-upload-pack', folder, want(head, 'side-band-64k ofs-delta')),
    'a fetch without progress': record('git-upload-pack', folder, want(head, 'side-band-64k no-progress')),
    'a fetch by the small side band': record('git-upload-pack', folder, want(head, 'side-band')),
    'a shallow fetch': record('git-upload-pack', folder, want(head, 'side-band-64k shallow', packet('deepen 1'))),
    'a fetch without a side band': record('git-upload-pack', folder, want(head, '')),
    'a push': record('git-receive-pack', folder, push('refs/heads/new', 'report-status side-band-64k')),
    'a push without a side band': record('git-receive-pack', folder, push('refs/heads/newer', 'report-status')),
  };
}

describe('git said its last words', () => {
  test('after each kind of conversation, in whatever pieces it comes', () => {
    for (const [what, recorded] of Object.entries(conversations()))
      for (const pieces of [1, 3, 7, 64, recorded.said.length])
        expect(`${what}: ${endingOf(recorded, pieces)}`).toBe(`${what}: complete`);
  });

  test('and not at any byte before', () => {
    for (const [what, recorded] of Object.entries(conversations())) {
      const { said } = recorded;
      expect(said.length).toBeGreaterThan(200);
      for (let cut = 0; cut < said.length; cut++) {
        const ending = endingOf({ ...recorded, said: said.subarray(0, cut) });
        expect(`${what}, cut at ${cut} of ${said.length}: ${ending}`).toMatch(/: cut$/);
      }
    }
  });

  test('nor with anything behind it', () => {
    for (const recorded of Object.values(conversations()))
      expect(endingOf({ ...recorded, said: Buffer.concat([recorded.said, Buffer.from('fatal: died\n')]) })).toBe('cut');
  });
});

describe('a client that wants nothing', () => {
  for (const service of ['git-upload-pack', 'git-receive-pack'] as const)
    test(`has had everything with the advertisement of ${service}, whole`, () => {
      const { folder } = repository();
      const recorded = record(service, folder, '0000');
      expect(endingOf(recorded)).toBe('complete');
      for (let cut = 0; cut < recorded.said.length; cut++)
        expect(endingOf({ ...recorded, said: recorded.said.subarray(0, cut) })).toBe('cut');
      // The same output, but the client asked for more.
      expect(endingOf({ ...recorded, sent: Buffer.from('0000x') })).toBe('cut');
      expect(endingOf({ ...recorded, sent: Buffer.from('0032want') })).toBe('cut');
    });
});

test('what git says itself that it failed by is its failure, and no lost link', () => {
  const { folder } = repository();
  const refused = record('git-upload-pack', folder, want('a'.repeat(40), 'side-band-64k'));
  expect(refused.said.toString()).toContain('ERR upload-pack: not our ref');
  expect(endingOf(refused)).toBe('failed');
  expect(endingOf({ ...refused, said: Buffer.from(`0000${packet('\x03out of memory')}`) })).toBe('failed');
});

test('bytes that are no packets are no success, whatever they end with', () => {
  for (const said of ['', 'hello0000', '0004', '0003', 'zzzz', '00', 'PACK0000'])
    expect(endingOf({ service: 'git-receive-pack', sent: Buffer.alloc(0), said: Buffer.from(said) })).toBe('cut');
});
