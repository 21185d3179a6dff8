/** Two gitmouths over one Redis are one door: for pushes, for operators and for those who do wrong. */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { Door, Person, type Result } from '../support/door.js';
import { HOLDING, holdingHooks, letGo, pushing } from '../support/held-pushes.js';
import { descendantsOf, runningProcesses } from '../support/machine.js';
import { newKey, Operator } from '../support/operator.js';
import { needs } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';
import { dynoUserOfItsOwn, refOf } from '../support/remains.js';
import type { Running } from '../support/running.js';
import { temporaryFolder } from '../support/temporary.js';

const { describe, test } = needs('git', 'ssh', 'ssh-keygen', 'bwrap', 'redis-server', 'redis-cli');

const LEASE_MS = 4_000;
/** From the end of a dead one's lease until one who waits has the lock: how often they ask, on a busy machine. */
const NOTICED_MS = 1_500;
/** Redis tells the time that is left in whole milliseconds, and so do we. */
const ROUNDING_MS = 5;
const PER_MINUTE = 5;
/** An address of strangers, so that nothing is held against the others. */
const STRANGERS = '127.0.0.9';
/** More keys than a stranger may offer from an address with a penalty, and fewer than from another. */
const OFFERS = 7;

describe('two gitmouths over one Redis', () => {
  let redis: RedisServer;
  let first: Door;
  let second: Door;
  /** Commands run beside neither: they know the Redis alone. */
  let beside: Door;
  let operator: Operator;
  let work: string;
  const people = new Map<string, Person>();
  const pushes: Running[] = [];

  beforeAll(async () => {
    redis = await RedisServer.start();
    const state = { GITMOUTH_STATE: redis.url };
    const settings = {
      ...state,
      GITMOUTH_HOOKS: holdingHooks(),
      GITMOUTH_DYNO_USER: String(dynoUserOfItsOwn()),
      GITMOUTH_LOCK_LEASE_SECONDS: String(LEASE_MS / 1000),
      GITMOUTH_PENALTY_NO_ACCESS_SECONDS: '60',
      GITMOUTH_PENALTY_NO_LOGIN_SECONDS: '60',
      GITMOUTH_SESSIONS_PER_MINUTE: String(PER_MINUTE),
    };
    first = new Door(settings);
    await first.start();
    second = new Door({ ...settings, GITMOUTH_DATA: first.data, GITMOUTH_PUSH_LOCK: 'supersede' });
    beside = new Door(state);
    operator = new Operator(beside);
    const names = ['ada', 'eve', 'fay'];
    const [, ...known] = await Promise.all([second.start(), ...names.map((name) => first.person(name))]);
    for (const person of known) people.set(person.name, person);
    await first.cli('app', 'create', 'fays', '--owner', 'fay');
    work = await at(first, 'ada').repository();
  });

  afterEach(async () => {
    for (const push of pushes.splice(0)) await push.kill();
  });

  afterAll(async () => {
    await Promise.all([first.stop(), second.stop()]);
    await redis.stop();
  });

  /** Somebody who comes to this one of both. */
  function at(door: Door, name: string): Person {
    const person = people.get(name);
    if (person === undefined) throw new Error(`nobody is called ${name}`);
    return door === first ? person : new Person(name, temporaryFolder(name), person.keyFile, door);
  }

  async function held(door: Door, app: string, branch: string): Promise<Running> {
    const push = begun(door, app, branch);
    await push.line(HOLDING);
    return push;
  }

  function begun(door: Door, app: string, branch: string): Running {
    const push = pushing(at(door, 'ada'), work, app, branch);
    pushes.push(push);
    return push;
  }

  test('show all that both do to a command beside them, which ends it wherever it runs', async () => {
    const [one, two] = await Promise.all([held(first, 'one', 'main'), held(second, 'two', 'main')]);
    const [sessions, locks, table] = await Promise.all([
      operator.listed('sessions'),
      operator.listed('lock', 'list'),
      beside.cli('sessions'),
    ]);
    const servedBy = (door: Door) => expect.stringMatching(new RegExp(`:${door.pid}$`)) as unknown;
    const shown = (app: string) => sessions.find((session) => session['app'] === app);
    expect(sessions).toHaveLength(2);
    expect(shown('one')).toMatchObject({ user: 'ada', phase: 'run', gitmouth: servedBy(first) });
    expect(shown('two')).toMatchObject({ user: 'ada', phase: 'run', gitmouth: servedBy(second) });
    expect(table.stdout).toMatch(new RegExp(`^${String(shown('one')?.['id'])} +ada +one .*:${first.pid}$`, 'm'));
    expect(table.stdout).toMatch(new RegExp(`^${String(shown('two')?.['id'])} +ada +two .*:${second.pid}$`, 'm'));
    expect(new Map(locks.map(({ app, session }) => [app, session]))).toEqual(
      new Map(sessions.map(({ app, id }) => [app, id])),
    );

    const [released, ended] = await Promise.all([
      beside.cli('lock', 'release', 'one'),
      beside.cli('sessions', 'end', String(shown('two')?.['id'])),
    ]);
    expect(released).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Released the lock of one, which ada /) });
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('of ada (git-receive-pack on two)') });
    const [ofOne, ofTwo] = await Promise.all([one.ended(), two.ended()]);
    expect(ofOne.code).not.toBe(0);
    expect(ofOne.stderr).toContain(' !     An operator took the lock of this app from your push.');
    expect(ofTwo.code).not.toBe(0);
    expect(ofTwo.stderr).toContain(' !     An operator ended your command.');
    await first.session({ app: 'one', verdict: 'ended-lock-released' });
    await second.session({ app: 'two', verdict: 'ended-operator' });
  });

  test('let a push to one take the place of a push to the other', async () => {
    const old = await held(first, 'taken', 'old');
    const young = begun(second, 'taken', 'young');
    await young.line(" !     Ending another push to 'taken' (by ada since ");
    const { code, stderr } = await old.ended();
    expect(code).not.toBe(0);
    expect(stderr).toContain(' !     A newer push to this app took the place of yours. Your command was ended.');
    await young.line(HOLDING);
    letGo(first, 'taken');
    expect(await young.ended()).toMatchObject({ code: 0 });
    await first.session({ app: 'taken', verdict: 'ended-superseded' });
    expect(await refOf(first.repository('taken'), 'refs/heads/old')).toBe('');
    expect(await refOf(first.repository('taken'), 'refs/heads/young')).not.toBe('');
  });

  test('hold against a key and an address what was done at either, until a command clears it for both', async () => {
    const stranger = await first.person('mallory', { isStranger: true });
    const keys = await Promise.all(Array.from({ length: OFFERS - 1 }, () => newKey()));
    const offers = keys.flatMap(({ file }) => ['-i', file.replace(/\.pub$/, '')]);
    /** With all those keys. */
    const knock = (door: Door): Promise<Result> => {
      const { name, home, keyFile } = stranger;
      return new Person(name, home, keyFile, door).ssh([], { before: ['-o', `BindAddress=${STRANGERS}`, ...offers] });
    };
    const greet = (door: Door) => at(door, 'eve').ssh([]);
    const pause = expect.stringMatching(
      / !     This key has to pause: too many requests named apps .*\n !     Nothing was changed\. Try again in \d+ \w+\.\n/,
    ) as unknown;
    const cut = expect.stringMatching(
      /: Too many keys were offered.* Too much has failed from your address\. Try again in \d+ \w+\.\s/,
    ) as unknown;

    const [listing, knocked] = await Promise.all([
      at(first, 'eve').git('/', 'ls-remote', at(first, 'eve').url('nobodys')),
      knock(first),
    ]);
    expect(listing.stderr).toContain(" !     You may not fetch from 'nobodys', or there is no such app.");
    expect(knocked.stderr).toContain('Permission denied');
    expect(knocked.stderr).not.toContain('Too m');
    const elsewhere = await Promise.all([greet(second), knock(second)]);
    expect(elsewhere).toMatchObject([{ stderr: pause }, { stderr: cut }]);

    const penalties = await operator.listed('penalty', 'list');
    const ofKey = String(penalties.find(({ subject }) => String(subject).startsWith('SHA256:'))?.['subject']);
    expect(penalties).toContainEqual(expect.objectContaining({ subject: ofKey, isEnforced: true }));
    expect(penalties).toContainEqual(expect.objectContaining({ subject: STRANGERS, isEnforced: true }));
    const cleared = await Promise.all([ofKey, STRANGERS].map((whose) => beside.cli('penalty', 'clear', whose)));
    expect(cleared).toMatchObject([
      { code: 0, stdout: `Forgot the penalty of ${ofKey}.\n` },
      { code: 0, stdout: `Forgot the penalty of ${STRANGERS}.\n` },
    ]);
    const [here, there, again] = await Promise.all([greet(first), greet(second), knock(second)]);
    for (const { stderr } of [here, there]) expect(stderr).toContain('Hi eve!');
    expect(again.stderr).toContain('Permission denied');
    expect(again.stderr).not.toContain('Too m');
  });

  test('count together what a user begins on an app', async () => {
    const visits = Array.from({ length: PER_MINUTE + 1 }, (_, index) => {
      const fay = at(index % 2 === 0 ? first : second, 'fay');
      return fay.git('/', 'ls-remote', fay.url('fays'));
    });
    const answers = await Promise.all(visits);
    const refused = answers.filter(({ code }) => code !== 0);
    expect(refused).toMatchObject([
      {
        stderr: expect.stringContaining(` !     You began more than ${PER_MINUTE} commands on 'fays' within a minute`),
      },
    ]);
  });

  // The last: it kills one of both.
  test('keep the lock of one that was killed until its lease has run out, and not for longer', async () => {
    await held(first, 'orphaned', 'lost');
    const dyno = descendantsOf(first.pid);
    expect(dyno).not.toEqual([]);
    first.signal('SIGKILL');
    await first.ended();
    // No more renewed, it ends then.
    const endsAt = redis.endOf('gitmouth:lock:{orphaned}') ?? NaN;
    const next = begun(second, 'orphaned', 'kept');
    await next.line(" !     Ending another push to 'orphaned' (by ada since ");
    await next.line(HOLDING);
    const [taken] = await operator.listed('lock', 'list');
    const afterMs = Number(taken?.['since']) - endsAt;
    expect(afterMs).toBeGreaterThanOrEqual(-ROUNDING_MS);
    expect(afterMs).toBeLessThan(NOTICED_MS);
    const isOf = ({ pid, startTicks }: (typeof dyno)[number]) =>
      dyno.some((one) => one.pid === pid && one.startTicks === startTicks);
    expect(runningProcesses().filter(isOf)).toEqual([]);
    letGo(second, 'orphaned');
    expect(await next.ended()).toMatchObject({ code: 0 });
  });
});
