/** That every answer is of this moment: shares and removals count from the next question on, and outages are faults. */
import assert from 'node:assert/strict';
import type { AccessControlPromise } from './access-control.js';
import { ask, FETCH, person, PUSH } from './access-driver.js';
import { assertFault, gone, never, offered, rejectionOf } from './contract.js';
import { sampleCertifiedCaller, sampleKey, sampleSession } from './samples.js';

const sharing: readonly AccessControlPromise[] = [
  {
    name: 'who was given reading may fetch and not push, and who was given writing may both',
    needs: 'share',
    async run(harness) {
      const [reader, writer] = [await person(harness, 'reader'), await person(harness, 'writer')];
      const owner = await person(harness, 'alice');
      await harness.createApp('shop', owner.user.name);
      await offered(harness.share, 'share')('shop', 'reader', 'read');
      await offered(harness.share, 'share')('shop', 'writer', 'write');
      assert.equal(await ask(harness, reader, FETCH), 'read shop');
      assert.equal(await ask(harness, reader, PUSH), 'no-access');
      assert.equal(await ask(harness, writer, FETCH), 'read shop');
      assert.equal(await ask(harness, writer, PUSH), 'write shop');
    },
  },
  {
    name: 'sharing anew replaces what was given before, and unsharing ends it from the next question on',
    needs: 'share',
    async run(harness) {
      const bob = await person(harness, 'bob');
      await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      const share = offered(harness.share, 'share');
      await share('shop', 'bob', 'read');
      await share('shop', 'bob', 'write');
      assert.equal(await ask(harness, bob, PUSH), 'write shop');
      await share('shop', 'bob', 'read');
      assert.equal(await ask(harness, bob, PUSH), 'no-access');
      await offered(harness.unshare, 'unshare')('shop', 'bob');
      assert.equal(await ask(harness, bob, FETCH), 'no-access');
    },
  },
  {
    name: 'what was shared of one app gives nothing on another',
    needs: 'share',
    async run(harness) {
      const bob = await person(harness, 'bob');
      await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      await harness.createApp('blog', 'alice');
      await offered(harness.share, 'share')('blog', 'bob', 'write');
      assert.equal(await ask(harness, bob, FETCH, 'shop'), 'no-access');
    },
  },
  {
    name: 'an app made anew under an old name is not shared with those the old one was shared with',
    needs: 'share',
    async run(harness) {
      const bob = await person(harness, 'bob');
      await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      await offered(harness.share, 'share')('shop', 'bob', 'write');
      await harness.destroyApp('shop');
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, bob, FETCH), 'no-access');
    },
  },
];

const removals: readonly AccessControlPromise[] = [
  {
    name: 'a caller whose key was removed since is refused by that name, and by another key is not',
    async run(harness) {
      const [lost, kept] = [await person(harness, 'alice'), await person(harness, 'alice')];
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, lost, PUSH), 'write shop');
      await harness.removeKey('alice', lost.key);
      assert.equal(await ask(harness, lost, PUSH), 'key-removed');
      assert.equal(await ask(harness, kept, PUSH), 'write shop');
    },
  },
  {
    name: 'a caller whose user was removed since is refused by that name',
    needs: 'share',
    async run(harness) {
      const [, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await harness.createApp('shop', 'alice');
      await offered(harness.share, 'share')('shop', 'bob', 'write');
      await harness.removeUser('bob');
      for (const app of ['shop', 'ship']) assert.equal(await ask(harness, bob, PUSH, app), 'key-removed');
    },
  },
  {
    name: 'a new user under the name of a removed one has none of their shares, and the old key stays removed',
    needs: 'share',
    async run(harness) {
      const [, old] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await harness.createApp('shop', 'alice');
      await offered(harness.share, 'share')('shop', 'bob', 'write');
      await harness.removeUser('bob');
      const other = await person(harness, 'bob');
      assert.equal(await ask(harness, other, PUSH), 'no-access');
      assert.equal(await ask(harness, old, PUSH), 'key-removed');
    },
  },
  {
    name: 'who has shown a certificate may do what its user may, whoever has registered its key, until the user is removed',
    needs: 'certificates',
    async run(harness) {
      const key = sampleKey();
      const [certified, foreign] = [sampleCertifiedCaller('alice', key), sampleCertifiedCaller('bob')];
      await harness.register('alice', sampleKey());
      await harness.register('bob', key);
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, certified, PUSH), 'write shop');
      assert.equal(await ask(harness, foreign, PUSH), 'no-access');
      await harness.removeKey('bob', key);
      assert.equal(await ask(harness, certified, FETCH), 'read shop');
      await harness.removeUser('bob');
      assert.equal(await ask(harness, foreign, FETCH), 'key-removed');
    },
  },
];

const failures: readonly AccessControlPromise[] = [
  {
    name: 'a question that was given up before it was asked rejects with the reason of the signal',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      const signal = gone();
      const question = harness.access.authorize(sampleSession(alice, PUSH, 'shop'), signal);
      assert.equal(await rejectionOf(question), signal.reason);
    },
  },
  {
    name: 'a question that is given up while it is open rejects with the reason of the signal',
    needs: 'stall',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await offered(harness.stall, 'stall')();
      const giveUp = new AbortController();
      const question = harness.access.authorize(sampleSession(alice, PUSH, 'shop'), giveUp.signal);
      giveUp.abort(new Error('given up'));
      assert.equal(await rejectionOf(question), giveUp.signal.reason);
    },
  },
  {
    name: 'an outage is thrown as a fault and never answered as a refusal',
    needs: 'breakDown',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await harness.createApp('shop', alice.user.name);
      await offered(harness.breakDown, 'breakDown')();
      for (const caller of [alice, bob]) {
        const question = harness.access.authorize(sampleSession(caller, PUSH, 'shop'), never());
        assertFault(await rejectionOf(question), 'authorize');
      }
    },
  },
];

export const accessChanges: readonly AccessControlPromise[] = [...sharing, ...removals, ...failures];
