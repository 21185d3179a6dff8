/** Clients that come and go without end, most of them in the middle of something. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Pair } from '../../adapters/ssh2/ground.js';
import { until, type Person } from '../../support/door.js';
import { figure, mebibytes } from '../../support/figures.js';
import { HostileClient } from '../../support/hostile/client.js';
import { median } from '../../support/machine.js';
import { MeasuredDoor, type Look } from '../../support/measured-door.js';
import { needs } from '../../support/programs.js';
import { MESSAGE } from '../../support/ssh-bytes.js';
import { dynoUserOfItsOwn, Remains } from '../../support/remains.js';
import { ALL_ARE_LET_IN, addressOf, keyOf } from './crowd.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap');

const IS_SOAK = process.env['GITMOUTH_SOAK'] === '1';
const MIB = 1024 ** 2;
const SECOND_MS = 1_000;
const WARM_UP_MS = (IS_SOAK ? 60 : 10) * SECOND_MS;
const CHURN_MS = (IS_SOAK ? 1_800 : 50) * SECOND_MS;
const LOOK_EVERY_MS = (IS_SOAK ? 5 : 0.5) * SECOND_MS;
const WORKERS = 6;
const LONGEST_PAUSE_MS = 40;
const GROWTH = {
  residentBytes: (IS_SOAK ? 24 : 48) * MIB,
  heldBytes: 4 * MIB,
  descriptors: 20,
  connections: WORKERS,
  children: 12,
};
const LIMIT_MS = CHURN_MS + WARM_UP_MS + 120 * SECOND_MS;

describe('clients that come and go', () => {
  const dynoUser = dynoUserOfItsOwn();
  const door = new MeasuredDoor({ ...ALL_ARE_LET_IN, GITMOUTH_DYNO_USER: String(dynoUser) });
  const remains = new Remains(door, dynoUser);
  let person: Person;
  let key: Pair;
  let folder: string;
  let visits = 0;

  beforeAll(async () => {
    await door.start();
    person = await door.person('ada');
    key = keyOf(person);
    folder = await person.repository();
    await person.must(folder, 'push', '-q', person.url('app'), 'main');
    await remains.noProcess();
    await door.connectionsGone();
    remains.mark();
  });

  afterAll(() => door.stop());

  const steps: readonly ((client: HostileClient) => Promise<unknown>)[] = [
    async (client) => client.identify(),
    async (client) => client.beginKeyExchange(),
    (client) => client.goOnExchangingKeys(),
    async (client) => client.requestService(),
    async (client) => client.prove({ algorithm: 'ssh-ed25519', blob: key.blob }, key),
    (client) => client.next(MESSAGE.USERAUTH_SUCCESS),
    (client) => client.open(0),
    (client) => client.exec(0, "git-upload-pack 'app.git'"),
  ];

  /** One visit, cut after any of its steps and a while. */
  async function visit(n: number): Promise<void> {
    const client = await HostileClient.dial(door.port, { from: addressOf(n) });
    try {
      const last = Math.floor(Math.random() * (steps.length + 1));
      for (const step of steps.slice(0, last)) await step(client);
      await sleep(Math.random() * LONGEST_PAUSE_MS);
    } finally {
      visits += 1;
      await client.close();
    }
  }

  /** Visits by several at once, and somebody honest in between, until the time is over. */
  async function churn(forMs: number): Promise<readonly Look[]> {
    const end = performance.now() + forMs;
    const looks: Look[] = [];
    const work = async (_: unknown, worker: number) => {
      for (let n = worker; performance.now() < end; n += WORKERS) await visit(n);
    };
    const list = async () => {
      for (; performance.now() < end; await sleep(SECOND_MS)) await person.must(folder, 'ls-remote', person.url('app'));
    };
    const watch = async () => {
      for (; performance.now() < end; await sleep(LOOK_EVERY_MS)) looks.push(door.look());
    };
    await Promise.all([...Array.from({ length: WORKERS }, work), list(), watch()]);
    return looks;
  }

  async function calm(): Promise<number> {
    await door.connectionsGone();
    await remains.settled();
    return (await door.usage()).heldBytes;
  }

  test(
    `for ${CHURN_MS / SECOND_MS} seconds leave the server as it was`,
    async () => {
      await churn(WARM_UP_MS);
      const heldBefore = await calm();
      visits = 0;
      const looks = await churn(CHURN_MS);
      const held = (await calm()) - heldBefore;
      const third = Math.floor(looks.length / 3);
      const of = (what: keyof Look) => {
        const medianOf = (some: readonly Look[]) => median(some.map((look) => look[what]));
        return { first: medianOf(looks.slice(0, third)), last: medianOf(looks.slice(-third)) };
      };
      const all = {
        residentBytes: of('residentBytes'),
        descriptors: of('descriptors'),
        children: of('children'),
        connections: of('connections'),
      };
      const flat = (['descriptors', 'children', 'connections'] as const).map(
        (what) => `${what} ${all[what].first} and ${all[what].last}`,
      );
      const resident = `resident ${mebibytes(all.residentBytes.first)} and ${mebibytes(all.residentBytes.last)}`;
      const told = `${visits} visits; medians of the first and the last third: ${[resident, ...flat].join(', ')}; held afterwards ${mebibytes(held)} more than before`;
      process.stdout.write(`load: churn of ${CHURN_MS / SECOND_MS} s: ${told}\n`);
      figure(`clients that come and go for ${CHURN_MS / SECOND_MS} s`, told);
      expect(visits).toBeGreaterThan(CHURN_MS / SECOND_MS);
      for (const what of ['residentBytes', 'descriptors', 'children', 'connections'] as const) {
        expect({ what, growth: all[what].last - all[what].first < GROWTH[what] }).toEqual({ what, growth: true });
      }
      expect(held).toBeLessThan(GROWTH.heldBytes);
      expect(door.events('problem')).toEqual([]);
      expect(door.events('fault')).toEqual([]);
      await until(
        () => door.connections() === 0,
        LIMIT_MS,
        () => 'connections are left',
      );
    },
    LIMIT_MS,
  );
});
