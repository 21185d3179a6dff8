/** What keeps a push out whose lock another one has by now, with real git. */
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { Sandbox } from '../../../src/adapters/process/sandbox.js';
import { until } from '../../../src/contracts/contract.js';
import { needs } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { bubblewrap, SERVER, unsandboxed } from './ground.js';
import { Place } from './place.js';

const TOKEN = 1_790_000_000_005;
const REFUSED = ' !     Another push has the lock of this app now: this one changed no ref. Run it again.\n';

const { describe: withBubblewrap } = needs('bwrap', 'prlimit', 'git');
const { describe: withGit } = needs('git');

/** As the embedded platform raises it. */
function raise(folder: string, token: number | string): void {
  writeFileSync(join(folder, 'token.new'), `${token}\n`);
  renameSync(join(folder, 'token.new'), join(folder, 'token'));
}

function fenceAt(token: number): { readonly folder: string; readonly token: number } {
  const folder = join(temporaryFolder('fence'), 'shop');
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  raise(folder, token);
  return { folder, token };
}

withBubblewrap(`the fence in bubblewrap, started by ${SERVER}`, () => {
  fences(bubblewrap);

  // The attack: a hook that is to lose its lock lowers, replaces or covers the fence, so that its push goes through.
  test('is out of reach of a hook', async () => {
    const fence = fenceAt(TOKEN);
    const hostile = `for file in /gitmouth/fence/token /gitmouth/fence/token.new; do (echo 1 >$file) || echo "no: $file"; done
      rm -f /gitmouth/fence/token; mv /gitmouth/fence /gitmouth/away; mkdir /gitmouth/fence/x; umount /gitmouth/fence
      echo waiting; while [ ! -e go ]; do sleep 0.05; done`;
    place = await Place.open(bubblewrap(), { 'pre-receive': hostile }, {}, fence);
    const { heard, ended } = pushing(place);
    await until(() => heard().includes('waiting'), 'the hook has done its worst');
    expect(heard()).toContain('no: /gitmouth/fence/token');
    expect(readFileSync(join(fence.folder, 'token'), 'utf8')).toBe(`${TOKEN}\n`);
    raise(fence.folder, TOKEN + 1);
    writeFileSync(join(place.repository, 'go'), '');
    expect(await ended).not.toEqual([0, null]);
    expect(place.has('main')).toBe(false);
  });
});

withGit(`the fence without a sandbox, started by ${SERVER}`, () => fences(unsandboxed));

let place: Place | undefined;
afterEach(async () => {
  await place?.close();
  place = undefined;
});

function pushing(there: Place): { heard(): string; readonly ended: Promise<unknown[]> } {
  const client = there.startPush('main');
  let heard = '';
  client.stderr?.setEncoding('utf8').on('data', (text: string) => (heard += text));
  return { heard: () => heard, ended: once(client, 'close') };
}

function fences(make: () => Sandbox): void {
  test('lets the push through that raised it, and every one of its refs', async () => {
    place = await Place.open(make(), undefined, {}, fenceAt(TOKEN));
    await place.git('branch', 'topic');
    await place.git('tag', 'v1');
    expect(await place.push('main', 'topic', 'v1')).toMatchObject({ code: 0 });
    expect([place.has('main'), place.has('topic')]).toEqual([true, true]);
  });

  test('holds back a push that is in its hooks while the next one raises it: no ref moves, and the pusher reads why', async () => {
    const fence = fenceAt(TOKEN);
    const hook = 'echo waiting; while [ ! -e go ]; do sleep 0.05; done';
    place = await Place.open(make(), { 'pre-receive': hook }, {}, fence);
    const { heard, ended } = pushing(place);
    await until(() => heard().includes('waiting'), 'the hook to run');
    raise(fence.folder, TOKEN + 1);
    writeFileSync(join(place.repository, 'go'), '');
    expect(await ended).not.toEqual([0, null]);
    expect(place.has('main')).toBe(false);
    await until(() => place?.said.includes(REFUSED) === true, 'the sentence on standard error');
  });

  test.each(['', 'none', '17x'])('lets nobody through where it says nothing that is a token: %j', async (text) => {
    const fence = fenceAt(TOKEN);
    raise(fence.folder, text);
    place = await Place.open(make(), undefined, {}, fence);
    expect((await place.push('main')).code).not.toBe(0);
    expect(place.has('main')).toBe(false);
  });

  test("comes after the operator's own hook, which may refuse, and hears of every step", async () => {
    const say = 'echo "$1" >>told; cat >>told; [ "$1" != prepared ] || [ ! -e refuse ]';
    place = await Place.open(make(), { 'reference-transaction': say }, {}, fenceAt(TOKEN));
    expect(await place.push('main')).toMatchObject({ code: 0 });
    const told = readFileSync(join(place.repository, 'told'), 'utf8');
    expect(told).toMatch(/^prepared\n0{40} [0-9a-f]{40} refs\/heads\/main$/m);
    expect(told).toMatch(/^committed$/m);
    writeFileSync(join(place.repository, 'refuse'), '');
    await place.git('branch', 'topic');
    expect((await place.push('topic')).code).not.toBe(0);
    expect(place.has('topic')).toBe(false);
    expect(place.said).not.toContain('Another push');
  });
}
