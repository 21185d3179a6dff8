import { beforeAll, describe, expect, test } from '@jest/globals';
import { runFixtures, type FixtureRun } from './fixture-run.js';

describe('the leak guard', () => {
  let run: FixtureRun;

  beforeAll(async () => {
    run = await runFixtures('leaked-|tidy');
  });

  test.each([
    ['leaked-timer', /resource Timeout, first seen after 'leaves a timer'/],
    ['leaked-server', /resource TCPServerWrap, first seen after 'leaves a server'/],
    ['leaked-socket', /resource TCPSocketWrap, first seen after 'leaves a socket'/],
    ['leaked-process', /child process \d+ \(sleep 30\), first seen after 'leaves a child'/],
    ['leaked-orphan', /process \d+ \(sleep 30\)/],
    ['leaked-file', /temporary file forgotten, first seen after 'leaves a temporary file'/],
    ['leaked-descriptor', /open file .*leaked-descriptor\.fixture\.ts, first seen after 'leaves an open file'/],
  ])('fails %s and says what was left, by which test', (fixture, complaint) => {
    expect(run.files.get(fixture)).toMatchObject({ status: 'failed', message: expect.stringMatching(complaint) });
  });

  test('passes a file that gives everything back', () => {
    expect(run.files.get('tidy')).toEqual(expect.objectContaining({ status: 'passed', message: '' }));
  });

  test('fails the run, and counts each leaking file as a failure beside its passing tests', () => {
    expect(run.status).toBe(1);
    expect(run.stdout.trimEnd().split('\n').at(-1)).toBe('8 passed, 7 failed');
  });
});

describe('must-call and must-not-call', () => {
  test('fail the test that asked, and pass the one whose promises were kept', async () => {
    const { tests } = await runFixtures('must-call');
    expect(tests).toEqual([
      { name: 'kept, even if only in a hook', status: 'passed', message: '' },
      complaint('broken: never called', 'mustCall: expected 1 call(s), got 0'),
      complaint('broken: called once too often', 'mustCall: expected 1 call(s), got 2'),
      complaint('broken: called though it must not be', 'mustNotCall: the door opened'),
    ]);
  });

  function complaint(name: string, words: string) {
    return { name, status: 'failed', message: expect.stringContaining(words) };
  }
});

test("a project's own time limit holds", async () => {
  const { tests } = await runFixtures('time-limit');
  expect(tests).toEqual([
    expect.objectContaining({ status: 'failed', message: expect.stringContaining('Exceeded timeout of 1500 ms') }),
  ]);
});
