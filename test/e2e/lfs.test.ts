/** git-lfs meets a door that serves no LFS: it is told so and ends, and with a server of one's own it works. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Door, type Person } from '../support/door.js';
import { needs } from '../support/programs.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen', 'git-lfs');
const CONTENT = 'pretend that this is large\n';

describe('a repository with files in LFS', () => {
  let door: Door;
  let alice: Person;
  let store: Server;
  const stored = new Map<string, string>();

  beforeAll(async () => {
    door = new Door();
    await door.start();
    alice = await door.person('alice');
    store = lfsServer(stored);
    store.listen(0, '127.0.0.1');
    await once(store, 'listening');
  });

  afterAll(async () => {
    store.close();
    store.closeAllConnections();
    await door.stop();
  });

  async function repository(): Promise<string> {
    const work = await alice.repository();
    await alice.must(work, 'lfs', 'install', '--local');
    await alice.must(work, 'lfs', 'track', '*.bin');
    await alice.commit(work, { 'large.bin': CONTENT });
    return work;
  }

  test('is not pushed, its pusher is told why, and nothing hangs', async () => {
    const work = await repository();
    const { code, stderr } = await alice.git(work, 'push', alice.url('without-server'), 'main');
    expect(code).toBe(1);
    expect(stderr).toContain('Git LFS is not served over SSH here.');
    expect(stderr).toContain('Set lfs.url to a server of your own');
    expect(await door.app('without-server')).toBeUndefined();
  });

  test('is pushed once lfs.url names a server of its own', async () => {
    const work = await repository();
    await alice.must(work, 'config', 'lfs.url', `http://127.0.0.1:${(store.address() as AddressInfo).port}`);
    await alice.must(work, 'push', alice.url('with-server'), 'main');
    const oid = createHash('sha256').update(CONTENT).digest('hex');
    expect(await door.inRepository('with-server', 'show', 'main:large.bin')).toContain(`oid sha256:${oid}`);
    expect(stored.get(oid)).toBe(CONTENT);
  });
});

/** As much of Git LFS's batch API as one upload takes. */
function lfsServer(stored: Map<string, string>): Server {
  return createServer((request, response) => {
    void textOf(request).then((text) => {
      if (request.method === 'PUT') {
        stored.set(request.url?.slice(1) ?? '', text);
        response.end();
      } else if (request.url === '/objects/batch') {
        const { objects } = JSON.parse(text) as { objects: { oid: string; size: number }[] };
        const href = (oid: string) => `http://${request.headers.host}/${oid}`;
        const answers = objects.map(({ oid, size }) => ({ oid, size, actions: { upload: { href: href(oid) } } }));
        response.setHeader('content-type', 'application/vnd.git-lfs+json');
        response.end(JSON.stringify({ transfer: 'basic', objects: answers }));
      } else {
        response.writeHead(404).end();
      }
    });
  });
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
