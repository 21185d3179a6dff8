/** Each stage failing in each way: the client is told no denial, and nothing is left held. */
import { describe, expect, test } from '@jest/globals';
import { Fault, type Stage } from '../../src/domain/fault.js';
import { exitWith, sleepUntilSignalled } from '../support/memory-commands.js';
import { until } from '../../src/contracts/contract.js';
import { MemoryHouse, type Call } from './memory-house.js';

interface Failing {
  readonly call: Call;
  readonly stage: Stage;
  readonly words: string;
  /** Calls that follow the failing one, in their order. */
  readonly after: readonly string[];
}

const END = ['finish', 'session-ended'];
const START_WORDS = 'The place where git runs could not be started.';

const STAGES: readonly Failing[] = [
  { call: 'authorize', stage: 'authorize', words: 'Your access could not be checked just now.', after: END },
  {
    call: 'acquire',
    stage: 'lock',
    words: 'The lock of this app could not be taken or kept.',
    after: END,
  },
  { call: 'provision', stage: 'provision', words: START_WORDS, after: ['lease given back', ...END] },
  {
    call: 'open',
    stage: 'connect',
    words: START_WORDS,
    after: ['release while 1 held', 'lease given back', ...END],
  },
  {
    call: 'run',
    stage: 'run',
    words: 'The place where git runs was lost before git ended. The command may or may not have been carried out.',
    after: ['close', 'release while 1 held', 'lease given back', ...END],
  },
  {
    call: 'release',
    stage: 'release',
    words: 'The command ended, but could not be concluded here.',
    after: ['lease given back', ...END],
  },
];

/** What was called after the call that failed. */
function callsAfter(house: MemoryHouse, call: Call): readonly string[] {
  const at = house.journal.findIndex((noted) => noted.split(' ')[0] === (call === 'run' ? 'open' : call));
  return house.journal.slice(at + 1);
}

describe('a fault', () => {
  test.each(STAGES)('in $call is told as one, with 127, and nothing is left', async ({ call, stage, words, after }) => {
    const house = new MemoryHouse();
    house.before[call] = () => {
      throw new Fault('GM_UNAVAILABLE', stage, 'db-7.internal does not answer', { cause: new Error('ECONNREFUSED') });
    };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(visit.stderr).toBe(
      ` !     ${words}\n` +
        ' !     This is a fault on our side and not a refusal: try again in a moment.\n' +
        ` !     You are alice, by the key ${house.key.sha256}. Session s-1.\n`,
    );
    expect(visit.stdout).toHaveLength(0);
    expect(house.ended).toMatchObject({
      verdict: 'fault-GM_UNAVAILABLE',
      exit: 127,
      app: 'shop',
      fault: { code: 'GM_UNAVAILABLE', stage, message: 'db-7.internal does not answer', cause: 'ECONNREFUSED' },
    });
    expect(callsAfter(house, call)).toEqual(after);
    // A release that failed leaves the dyno to the provisioner; everything else was given back.
    if (call === 'release') expect(house.locks.leases()).toEqual([]);
    else house.expectNothingHeld(visit);
  });

  test('of a dyno that is lost while git runs is 127 and never git’s', async () => {
    const house = new MemoryHouse();
    house.command = async (process) => {
      process.stdout.write('half a pack');
      return sleepUntilSignalled(process);
    };
    const visit = house.push();
    await until(() => visit.stdout.length > 0, 'git to write');
    const [dyno] = house.provisioner.held();
    if (dyno === undefined) throw new Error('no dyno');
    house.transport.lose(dyno);
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(house.ended).toMatchObject({ verdict: 'fault-GM_DYNO_LOST', fault: { stage: 'run' } });
    expect(house.provisioner.releases[0]?.outcome).toMatchObject({ kind: 'faulted', fault: { code: 'GM_DYNO_LOST' } });
    house.expectNothingHeld(visit);
  });

  test('of a dyno that no transport serves says so to the log alone', async () => {
    const house = new MemoryHouse();
    house.linkKind = 'process';
    const visit = house.fetch();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(visit.stderr).toContain(START_WORDS);
    expect(house.ended.fault).toMatchObject({ code: 'GM_BAD_ANSWER', stage: 'connect' });
    expect(house.ended.fault?.message).toContain('process');
    house.expectNothingHeld(visit);
  });
});

describe('a bug', () => {
  test.each(STAGES)('in $call is contained, told with 127, and nothing is left', async ({ call, after }) => {
    const house = new MemoryHouse();
    house.before[call] = () => {
      throw new TypeError('undefined is not a function');
    };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(visit.stderr).toContain(' !     Internal error: something went wrong on our side.\n');
    expect(visit.stderr).toContain('Session s-1.\n');
    expect(visit.stderr).not.toContain('undefined is not');
    expect(house.ended).toMatchObject({ verdict: 'crashed', exit: 127, fault: { code: 'GM_BUG', stage: 'unknown' } });
    expect(house.ended.fault?.message).toContain('TypeError: undefined is not a function\n    at ');
    expect(callsAfter(house, call)).toEqual(after);
    if (call === 'release') expect(house.locks.leases()).toEqual([]);
    else house.expectNothingHeld(visit);

    house.before[call] = undefined as never;
    expect(await house.push().exit()).toEqual({ code: 0 });
  });

  test('in closing the dyno keeps neither dyno nor lock', async () => {
    const house = new MemoryHouse();
    house.before.close = () => {
      throw new Error('impossible');
    };
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(house.ended.verdict).toBe('crashed');
    expect(house.provisioner.releases).toHaveLength(1);
    house.expectNothingHeld(visit);
  });
});

describe('a release that fails', () => {
  const fault = new Fault('GM_REPOSITORY', 'release', 'no space left');

  test('after a success makes it a fault: never 0', async () => {
    const house = new MemoryHouse();
    house.provisioner.releaseTrouble.failWith(fault);
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 127 });
    expect(house.provisioner.releases[0]?.outcome).toEqual({ kind: 'ran', exit: { kind: 'code', code: 0 } });
    expect(house.ended).toMatchObject({ verdict: 'fault-GM_REPOSITORY', exit: 127 });
    expect(Object.keys(house.ended.phasesMs)).toContain('release');
    house.expectNothingHeld(visit);
  });

  test('after another end leaves that end as it was, and is recorded beside it', async () => {
    const house = new MemoryHouse();
    house.command = exitWith(1);
    house.provisioner.releaseTrouble.failWith(fault);
    const visit = house.push();
    expect(await visit.exit()).toEqual({ code: 1 });
    expect(house.ended).toMatchObject({ verdict: 'exit-1', exit: 1 });
    expect(house.observer.ofType('fault')).toEqual([
      {
        type: 'fault',
        fault: { code: 'GM_REPOSITORY', stage: 'release', message: 'no space left' },
        connection: visit.live.caller.connection.id,
        session: 's-1',
      },
    ]);
    house.expectNothingHeld(visit);
  });
});
