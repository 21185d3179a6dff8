import assert from 'node:assert/strict';
import type { Dyno } from '../domain/dyno.js';
import type { Grant } from '../domain/grant.js';
import { isRefusal } from '../domain/refusal.js';
import type { Session } from '../domain/session.js';
import type { Usage } from '../domain/usage.js';
import type { Outcome } from '../domain/verdict.js';
import { Fault } from '../domain/fault.js';
import type { Provisioner } from '../ports/provisioner.js';
import type { Lease } from '../ports/repository-locks.js';
import {
  assertFault,
  casesOf,
  gone,
  never,
  offered,
  rejectionOf,
  within,
  type ContractCase,
  type Harness,
  type Promised,
} from './contract.js';

/** What a session brings to a provisioner; a writer's lease is held until `done`. */
export interface Order {
  readonly grant: Grant;
  readonly lease: Lease | undefined;
  readonly session: Session;
}

/** A provisioner, and orders for it. */
export interface ProvisionerHarness extends Harness {
  readonly provisioner: Provisioner;
  /** An order for an app that exists. Each call is another session, for a writer of another app. */
  order(access: 'read' | 'write'): Promise<Order>;
  /** What is held at this moment for dynos that were not given back, in words: folders, processes, entries. */
  held(): Promise<readonly string[]>;
  /** From now on nothing can be provisioned. */
  readonly breakDown?: () => Promise<void>;
  /** From now on a call to provision does not answer. */
  readonly stall?: () => Promise<void>;
  /** From now on cleaning up fails in part. */
  readonly breakRelease?: () => Promise<void>;
}

export type ProvisionerLack = 'breakDown' | 'stall' | 'breakRelease';

export function provisionerContract(
  open: () => Promise<ProvisionerHarness>,
  lacks: readonly ProvisionerLack[] = [],
): readonly ContractCase[] {
  return casesOf(open, lacks, [...lives, ...failures]);
}

const RAN: Outcome = { kind: 'ran', exit: { kind: 'code', code: 0 } };

const USAGE: Usage = { bytesIn: 1234, bytesOut: 56, phasesMs: { provision: 7, connect: 8, run: 900 } };

const OUTCOMES: readonly Outcome[] = [
  RAN,
  { kind: 'ran', exit: { kind: 'code', code: 1 } },
  { kind: 'ran', exit: { kind: 'signal', signal: 'KILL' } },
  { kind: 'faulted', fault: new Fault('GM_DYNO_LOST', 'run', 'lost') },
  { kind: 'ended', reason: 'client-left' },
  { kind: 'crashed', error: new TypeError('a bug') },
];

async function provide({ provisioner }: ProvisionerHarness, order: Order): Promise<Dyno> {
  const answer = await within(provisioner.provision(order.grant, order.lease, order.session, never()), 'the dyno');
  assert.ok(!isRefusal(answer), 'a dyno was to be provided, and it was refused');
  return answer;
}

type Case = Promised<ProvisionerHarness, ProvisionerLack>;

const lives: readonly Case[] = [
  {
    name: 'a reader gets a dyno without a lease, a writer with one, and both are given back whole',
    async run(harness) {
      for (const access of ['read', 'write'] as const) {
        const order = await harness.order(access);
        assert.equal(order.lease === undefined, access === 'read', 'the harness: writers have a lease, readers none');
        const dyno = await provide(harness, order);
        assert.ok(dyno.id.length > 0);
        await harness.provisioner.release(dyno, RAN, USAGE);
        assert.deepEqual(await harness.held(), []);
      }
    },
  },
  {
    name: 'every dyno has an id of its own',
    async run(harness) {
      const dynos = await Promise.all(
        Array.from({ length: 10 }, async () => provide(harness, await harness.order('read'))),
      );
      assert.equal(new Set(dynos.map(({ id }) => id)).size, 10);
      await Promise.all(dynos.map((dyno) => harness.provisioner.release(dyno, RAN, USAGE)));
      assert.deepEqual(await harness.held(), []);
    },
  },
  {
    name: 'giving a dyno back again, or twice at once, changes nothing',
    async run(harness) {
      const [first, second] = [
        await provide(harness, await harness.order('write')),
        await provide(harness, await harness.order('read')),
      ];
      await Promise.all([
        harness.provisioner.release(first, RAN, USAGE),
        harness.provisioner.release(first, RAN, USAGE),
      ]);
      await harness.provisioner.release(first, RAN, USAGE);
      await harness.provisioner.release(second, RAN, USAGE);
      assert.deepEqual(await harness.held(), []);
    },
  },
  ...OUTCOMES.map((outcome) => ({
    name: `a writer's dyno is given back whole when its session came out as ${words(outcome)}`,
    async run(harness: ProvisionerHarness) {
      const dyno = await provide(harness, await harness.order('write'));
      await harness.provisioner.release(dyno, outcome, USAGE);
      assert.deepEqual(await harness.held(), []);
    },
  })),
];

function words(outcome: Outcome): string {
  return outcome.kind === 'ran' ? `ran, ${JSON.stringify(outcome.exit)}` : outcome.kind;
}

const failures: readonly Case[] = [
  {
    name: 'a call that was given up before it was made rejects with the reason of the signal and leaves nothing behind',
    async run(harness) {
      for (const access of ['read', 'write'] as const) {
        const { grant, lease, session } = await harness.order(access);
        const signal = gone();
        const call = harness.provisioner.provision(grant, lease, session, signal);
        assert.equal(await rejectionOf(call), signal.reason);
        assert.deepEqual(await harness.held(), []);
      }
    },
  },
  {
    name: 'a call that is given up at once rejects with the reason of the signal, or had its dyno and can give it back',
    async run(harness) {
      const { grant, lease, session } = await harness.order('write');
      const giveUp = new AbortController();
      const call = harness.provisioner.provision(grant, lease, session, giveUp.signal);
      giveUp.abort(new Error('given up'));
      const answer = await within(
        call.catch((reason: unknown) => assert.equal(reason, giveUp.signal.reason)),
        'the answer',
      );
      if (answer !== undefined && !isRefusal(answer)) await harness.provisioner.release(answer, RAN, USAGE);
      assert.deepEqual(await harness.held(), []);
    },
  },
  {
    name: 'a call that is given up while it is open rejects with the reason of the signal and leaves nothing behind',
    needs: 'stall',
    async run(harness) {
      const { grant, lease, session } = await harness.order('write');
      await offered(harness.stall, 'stall')();
      const giveUp = new AbortController();
      const call = harness.provisioner.provision(grant, lease, session, giveUp.signal);
      giveUp.abort(new Error('given up'));
      assert.equal(await rejectionOf(call), giveUp.signal.reason);
      assert.deepEqual(await harness.held(), []);
    },
  },
  {
    name: 'an outage is thrown as a fault and leaves nothing behind',
    needs: 'breakDown',
    async run(harness) {
      const { grant, lease, session } = await harness.order('write');
      await offered(harness.breakDown, 'breakDown')();
      assertFault(await rejectionOf(harness.provisioner.provision(grant, lease, session, never())), 'provision');
      assert.deepEqual(await harness.held(), []);
    },
  },
  {
    name: 'a cleaning up that fails is thrown as a fault, and the dyno is given back all the same',
    needs: 'breakRelease',
    async run(harness) {
      const dyno = await provide(harness, await harness.order('write'));
      await offered(harness.breakRelease, 'breakRelease')();
      assertFault(await rejectionOf(harness.provisioner.release(dyno, RAN, USAGE)), 'release');
      await harness.provisioner.release(dyno, RAN, USAGE);
    },
  },
];
