import assert from 'node:assert/strict';
import type { CreationRule } from '../../src/domain/access-policy.js';
import type { GitService } from '../../src/domain/git-request.js';
import type { PublicKey } from '../../src/domain/public-key.js';
import { isRefusal } from '../../src/domain/refusal.js';
import type { Caller } from '../../src/domain/session.js';
import type { AccessControl } from '../../src/ports/access-control.js';
import {
  assertFault,
  casesOf,
  gone,
  never,
  offered,
  rejectionOf,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';
import { sampleCaller, sampleKey, sampleRequest } from './samples.js';

/** An access control, and the platform behind it. Pushes create no app unless `setCreation` says so. */
export interface AccessControlHarness extends Harness {
  readonly access: AccessControl;
  /** Gives the user one more key; the first makes the user. */
  register(user: string, key: PublicKey): Promise<void>;
  removeKey(user: string, key: PublicKey): Promise<void>;
  removeUser(user: string): Promise<void>;
  /** Makes an app without archives and without a deployed branch. */
  createApp(name: string, owner: string): Promise<void>;
  destroyApp(name: string): Promise<void>;
  readonly share?: (app: string, user: string, access: 'read' | 'write') => Promise<void>;
  readonly unshare?: (app: string, user: string) => Promise<void>;
  readonly setArchive?: (app: string, on: boolean) => Promise<void>;
  readonly setBranch?: (app: string, branch: string) => Promise<void>;
  readonly setCreation?: (rule: CreationRule) => Promise<void>;
  /** From now on the platform can't be asked. */
  readonly breakDown?: () => Promise<void>;
  /** From now on the platform does not answer. */
  readonly stall?: () => Promise<void>;
}

export type AccessControlLack = 'share' | 'setArchive' | 'setBranch' | 'setCreation' | 'breakDown' | 'stall';

export function accessControlContract(
  open: () => Promise<AccessControlHarness>,
  lacks: readonly AccessControlLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...owners, ...sharing, ...creation, ...removals, ...failures]);
}

const PUSH = 'git-receive-pack';
const FETCH = 'git-upload-pack';
const ARCHIVE = 'git-upload-archive';

async function person({ register }: AccessControlHarness, user: string): Promise<Caller> {
  const caller = sampleCaller(user, sampleKey());
  await register(user, caller.key);
  return caller;
}

/** The answer in one word: what may be done, or the kind of the refusal. */
async function ask({ access }: AccessControlHarness, caller: Caller, service: GitService, app = 'shop') {
  const answer = await access.authorize(caller, sampleRequest(service, app), never());
  if (isRefusal(answer)) return answer.kind;
  return answer.creates ? `create ${answer.app}` : `${answer.access} ${answer.app}`;
}

type Case = Promised<AccessControlHarness, AccessControlLack>;

const owners: readonly Case[] = [
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
        const foreign = await harness.access.authorize(bob, sampleRequest(service, 'shop'), never());
        const unknown = await harness.access.authorize(bob, sampleRequest(service, 'ship'), never());
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
        const answer = await harness.access.authorize(alice, sampleRequest(PUSH, 'shop'), never());
        return isRefusal(answer) ? answer.kind : answer.branch;
      };
      assert.equal(await branch(), undefined);
      await offered(harness.setBranch, 'setBranch')('shop', 'main');
      assert.equal(await branch(), 'main');
    },
  },
];

const sharing: readonly Case[] = [
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

const creation: readonly Case[] = [
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

const removals: readonly Case[] = [
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
];

const failures: readonly Case[] = [
  {
    name: 'a question that was given up before it was asked rejects with the reason of the signal',
    async run(harness) {
      const alice = await person(harness, 'alice');
      await harness.createApp('shop', 'alice');
      const signal = gone();
      const question = harness.access.authorize(alice, sampleRequest(PUSH, 'shop'), signal);
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
      const question = harness.access.authorize(alice, sampleRequest(PUSH, 'shop'), giveUp.signal);
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
        const question = harness.access.authorize(caller, sampleRequest(PUSH, 'shop'), never());
        assertFault(await rejectionOf(question), 'authorize');
      }
    },
  },
];
