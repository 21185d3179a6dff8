/** Many at once: everybody is served, and of those who push to one ref exactly one wins. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Door, until, type Person } from '../support/door.js';
import { Master } from '../support/master.js';
import { needs } from '../support/programs.js';
import { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe } = needs('git', 'ssh', 'ssh-keygen');
const ROUNDS = process.env['GITMOUTH_SOAK'] === '1' ? 10 : 1;
const LIMIT_MS = ROUNDS * 180_000;

describe('many at once', () => {
  let door: Door;
  let alice: Person;
  let work: string;
  let tip: string;

  beforeAll(async () => {
    door = new Door();
    await door.start();
    alice = await door.person('alice');
    work = await alice.repository(Object.fromEntries(numbers(50).map((n) => [`file-${n}`, `${n}\n`.repeat(1000)])));
    tip = await alice.must(work, 'rev-parse', 'HEAD');
    await alice.must(work, 'push', '--quiet', alice.url('app'), 'main');
  });

  afterAll(() => door.stop());

  test(
    'twenty clones all come out whole',
    async () => {
      await repeatedly(async () => {
        const clones = await Promise.all(
          numbers(20).map(async () => {
            const folder = join(temporaryFolder('clone'), 'it');
            const result = await alice.git('/', 'clone', '--quiet', alice.url('app'), folder);
            return { ...result, folder };
          }),
        );
        expect(clones.filter(({ code }) => code !== 0)).toEqual([]);
        for (const { folder } of clones) {
          expect(await alice.must(folder, 'rev-parse', 'HEAD')).toBe(tip);
          expect(await alice.must(folder, 'status', '--porcelain')).toBe('');
        }
      });
    },
    LIMIT_MS,
  );

  test(
    'of eight pushes to one ref exactly one wins, and the others are told',
    async () => {
      await repeatedly(async (round) => {
        const app = `contended-${round}`;
        await alice.must(work, 'push', '--quiet', alice.url(app), 'main');
        const rivals = await Promise.all(
          numbers(8).map(async (n) => {
            const folder = join(temporaryFolder('rival'), 'it');
            await alice.must('/', 'clone', '--quiet', '--no-local', work, folder);
            await alice.must(folder, 'config', 'user.name', 'alice');
            await alice.must(folder, 'config', 'user.email', 'alice@example.com');
            await alice.commit(folder, { [`by-${n}`]: 'mine\n' });
            return { folder, id: await alice.must(folder, 'rev-parse', 'HEAD') };
          }),
        );
        const results = await Promise.all(
          rivals.map(async ({ folder, id }) => ({ ...(await alice.git(folder, 'push', alice.url(app), 'main')), id })),
        );
        const winners = results.filter(({ code }) => code === 0);
        const losers = results.filter(({ code }) => code !== 0);
        expect(winners).toHaveLength(1);
        for (const { code, stderr } of losers) {
          expect({ code, stderr }).toEqual({
            code: 1,
            stderr: expect.stringMatching(/! \[rejected\] +main -> main \(fetch first\)/),
          });
        }
        expect(await door.inRepository(app, 'rev-parse', 'main')).toBe(winners[0]?.id);
        expect(await door.inRepository(app, 'fsck', '--strict')).toBe('');
      });
    },
    LIMIT_MS,
  );

  test('ten sessions at once share one connection', async () => {
    const master = await Master.open(alice);
    try {
      const before = door.events('connection-opened').length;
      const clones = await Promise.all(
        numbers(10).map(async () => {
          const folder = join(temporaryFolder('clone'), 'it');
          const result = await master.git('/', 'clone', '--quiet', alice.url('app'), folder);
          return { ...result, folder };
        }),
      );
      expect(clones.filter(({ code }) => code !== 0)).toEqual([]);
      for (const { folder } of clones) expect(await alice.must(folder, 'rev-parse', 'HEAD')).toBe(tip);
      expect(door.events('connection-opened')).toHaveLength(before);
    } finally {
      await master.close();
    }
  });

  test(
    'sixty-four ls-remote from one address are all answered',
    async () => {
      await repeatedly(async () => {
        const answers = await Promise.all(numbers(64).map(() => alice.git('/', 'ls-remote', alice.url('app'), 'main')));
        expect(answers.filter(({ code }) => code !== 0)).toEqual([]);
        expect(new Set(answers.map(({ stdout }) => stdout))).toEqual(new Set([`${tip}\trefs/heads/main\n`]));
      });
    },
    LIMIT_MS,
  );
});

describe('twenty requests of one user, who may have sixteen dynos', () => {
  let door: Door;
  let alice: Person;
  let work: string;
  const held: Running[] = [];

  beforeAll(async () => {
    // As on a machine of two cores, whatever this one has.
    door = new Door({ GITMOUTH_DYNOS: '32', GITMOUTH_DYNOS_PER_USER: '16', GITMOUTH_DYNO_QUEUE: '4' });
    await door.start();
    alice = await door.person('alice');
    work = await alice.repository();
    await alice.must(work, 'push', '--quiet', alice.url('app'), 'main');
  });

  afterEach(async () => {
    await Promise.all(held.splice(0).map((request) => request.kill()));
  });

  afterAll(() => door.stop());

  /** Sixteen fetches whose client listens and says nothing: each has its dyno until it is told to end. */
  async function holdSixteen(): Promise<void> {
    while (held.length < 16) {
      const args = [...alice.sshOptions, ...alice.target, "git-upload-pack 'app.git'"];
      held.push(new Running('ssh', args, { env: { HOME: alice.home } }));
    }
    for (const request of held) {
      await until(
        () => request.stdout.includes('refs/heads/main'),
        30_000,
        () => `git does not run: ${request.stderr}`,
      );
    }
  }

  function clone(): { readonly request: Running; readonly folder: string } {
    const folder = join(temporaryFolder('clone'), 'it');
    const args = ['clone', '--quiet', alice.url('app'), folder];
    const request = new Running('git', args, { env: alice.environment });
    held.push(request);
    return { request, folder };
  }

  test(
    'the other four wait, are told so, and come out whole when others have ended',
    async () => {
      await holdSixteen();
      const clones = numbers(4).map(() => clone());
      for (const { request } of clones) {
        const { text } = await request.line('Waiting for your turn');
        expect(text).toBe(' !     Waiting for your turn (16 commands of yours run here)…');
      }
      // A flush packet: nothing is wanted, and git ends.
      for (const request of held.slice(0, 16)) request.stdin.end('0000');
      for (const { request, folder } of clones) {
        expect(await request.ended()).toMatchObject({ code: 0 });
        expect(await alice.must(folder, 'status', '--porcelain')).toBe('');
      }
      const waited = (await door.sessions(21)).filter(
        ({ phasesMs }) => Number((phasesMs as { queue: number }).queue) > 0,
      );
      expect(waited.length).toBeGreaterThanOrEqual(4);
    },
    LIMIT_MS,
  );

  test(
    'one more than the queue has places for is refused with what to do, while another user is served',
    async () => {
      const bob = await door.person('bob');
      expect((await door.cli('app', 'share', 'app', 'bob', '--access', 'read')).code).toBe(0);
      await holdSixteen();
      const clones = numbers(4).map(() => clone());
      for (const { request } of clones) await request.line('Waiting for your turn');
      const refused = await alice.git('/', 'ls-remote', alice.url('app'));
      expect(refused.code).toBe(128);
      expect(refused.stderr).toContain(
        ' !     Too much at once: 16 commands of yours run here, which is the limit.\n' +
          ' !     Nothing was changed. Try again when one has ended.\n',
      );
      expect(await door.session({ verdict: 'refused-dynos-busy' })).toMatchObject({ user: 'alice', exit: 1 });
      expect((await bob.git('/', 'ls-remote', bob.url('app'))).code).toBe(0);
      // Whoever gives up leaves the queue, and makes room in it.
      await clones[0]?.request.kill();
      await door.session({ verdict: 'ended-client-left' });
      const next = clone();
      await next.request.line('Waiting for your turn');
      for (const request of held.slice(0, 16)) request.stdin.end('0000');
      for (const { request } of [...clones.slice(1), next]) expect(await request.ended()).toMatchObject({ code: 0 });
    },
    LIMIT_MS,
  );
});

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function repeatedly(action: (round: number) => Promise<void>): Promise<void> {
  for (const round of numbers(ROUNDS)) await action(round);
}
