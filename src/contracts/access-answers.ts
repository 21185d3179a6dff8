/** Who may do what on which app. */
import assert from 'node:assert/strict';
import { isRefusal } from '../domain/refusal.js';
import type { AccessControlPromise } from './access-control.js';
import { ARCHIVE, ask, FETCH, person, PUSH } from './access-driver.js';
import { assertFault, gone, never, offered, rejectionOf } from './contract.js';
import { sampleSession } from './samples.js';

const owners: readonly AccessControlPromise[] = [
  {
    name: 'the owner may push and fetch, and a fetch is granted reading alone',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, alice, PUSH), 'write shop');
      assert.equal(await ask(harness, alice, FETCH), 'read shop');
    },
  },
  {
    name: 'a stranger may do nothing, and cannot tell a foreign app from one that does not exist',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await harness.createApp('shop', alice.user.name);
      for (const service of [PUSH, FETCH, ARCHIVE] as const) {
        const foreign = await harness.access.authorize(sampleSession(bob, service, 'shop'), never());
        const unknown = await harness.access.authorize(sampleSession(bob, service, 'ship'), never());
        assert.deepEqual(foreign, { kind: 'no-access', app: 'shop', service });
        assert.deepEqual(unknown, { kind: 'no-access', app: 'ship', service });
      }
    },
  },
  {
    name: 'a destroyed app is gone from the next question on, for its owner too',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, alice, FETCH), 'read shop');
      await harness.destroyApp('shop');
      assert.equal(await ask(harness, alice, FETCH), 'no-access');
      assert.equal(await ask(harness, alice, PUSH), 'no-access');
    },
  },
  {
    name: 'a name that is a part or a pattern of an app name is another app',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      for (const name of ['sho', 'shop1', 's_op', 'sh-p'])
        assert.equal(await ask(harness, alice, FETCH, name), 'no-access');
    },
  },
  {
    name: 'archives are refused by that name until they are turned on',
    needs: 'setArchive',
    async run(harness) {
      const alice = await person(harness, 'alice');
      const setArchive = offered(harness.setArchive, 'setArchive');
      await harness.createApp('shop', 'alice');
      assert.equal(await ask(harness, alice, ARCHIVE), 'archive-off');
      await setArchive('shop', true);
      assert.equal(await ask(harness, alice, ARCHIVE), 'read shop');
      await setArchive('shop', false);
      assert.equal(await ask(harness, alice, ARCHIVE), 'archive-off');
    },
  },
  {
    name: 'a grant names the deployed branch once there is one',
    needs: 'setBranch',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      const branch = async () => {
        const answer = await harness.access.authorize(sampleSession(alice, PUSH, 'shop'), never());
        return isRefusal(answer) ? answer.kind : answer.branch;
      };
      assert.equal(await branch(), undefined);
      await offered(harness.setBranch, 'setBranch')('shop', 'main');
      assert.equal(await branch(), 'main');
    },
  },
];

const creation: readonly AccessControlPromise[] = [
  {
    name: 'while pushes create apps, a push to an unknown app is granted as creating it, and asking alone makes nothing',
    needs: 'setCreation',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await offered(harness.setCreation, 'setCreation')({ onPush: true, limit: 5 });
      assert.equal(await ask(harness, alice, PUSH), 'create shop');
      assert.equal(await ask(harness, bob, PUSH), 'create shop');
      assert.equal(await ask(harness, alice, FETCH), 'no-access');
      assert.equal(await ask(harness, alice, ARCHIVE), 'no-access');
    },
  },
  {
    name: 'while pushes create apps, an app of somebody else is still refused',
    needs: 'setCreation',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await offered(harness.setCreation, 'setCreation')({ onPush: true, limit: 5 });
      await harness.createApp('shop', alice.user.name);
      assert.equal(await ask(harness, bob, PUSH), 'no-access');
    },
  },
  {
    name: 'a user who owns as many apps as a user may cannot create another, and other users can',
    needs: 'setCreation',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      await offered(harness.setCreation, 'setCreation')({ onPush: true, limit: 2 });
      await harness.createApp('one', 'alice');
      assert.equal(await ask(harness, alice, PUSH), 'create shop');
      await harness.createApp('two', 'alice');
      assert.equal(await ask(harness, alice, PUSH), 'too-many-apps');
      assert.equal(await ask(harness, alice, PUSH, 'two'), 'write two');
      assert.equal(await ask(harness, bob, PUSH), 'create shop');
    },
  },
];

const lists: readonly AccessControlPromise[] = [
  {
    name: 'lists the apps of a user, by name, and those of nobody else',
    needs: 'list',
    async run(harness) {
      const [alice, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      assert.deepEqual(await harness.access.list(alice, never()), []);
      for (const name of ['shop', 'blog']) await harness.createApp(name, 'alice');
      await harness.createApp('wiki', 'bob');
      assert.deepEqual(await harness.access.list(alice, never()), [
        { app: 'blog', access: 'write' },
        { app: 'shop', access: 'write' },
      ]);
      assert.deepEqual(await harness.access.list(bob, never()), [{ app: 'wiki', access: 'write' }]);
    },
  },
  {
    name: 'lists with them what was shared with the user, and how',
    needs: 'share',
    async run(harness) {
      const [, bob] = [await person(harness, 'alice'), await person(harness, 'bob')];
      for (const name of ['shop', 'blog', 'wiki']) await harness.createApp(name, 'alice');
      await offered(harness.share, 'share')('shop', 'bob', 'read');
      await offered(harness.share, 'share')('blog', 'bob', 'write');
      assert.deepEqual(await harness.access.list(bob, never()), [
        { app: 'blog', access: 'write' },
        { app: 'shop', access: 'read' },
      ]);
    },
  },
  {
    name: 'a list that was given up before it was asked for rejects with the reason of the signal',
    needs: 'list',
    async run(harness) {
      const alice = await person(harness, 'alice');
      const signal = gone();
      assert.equal(await rejectionOf(harness.access.list(alice, signal)), signal.reason);
    },
  },
  {
    name: 'a list that cannot be had is a fault of the stage authorize, and never an empty one',
    needs: 'breakDown',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await offered(harness.breakDown, 'breakDown')();
      if ((await harness.access.list(alice, never()).catch(() => 'fault')) === undefined) return;
      assertFault(await rejectionOf(harness.access.list(alice, never())), 'authorize');
    },
  },
];

export const accessAnswers: readonly AccessControlPromise[] = [...owners, ...creation, ...lists];
