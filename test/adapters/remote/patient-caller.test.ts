/** Asking again, and leaving alone, over a server on this machine. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { HttpCaller, type Call } from '../../../src/adapters/remote/http-caller.js';
import { PatientCaller, type Patience } from '../../../src/adapters/remote/patient-caller.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { never, rejectionOf, turns, until, within } from '../../../src/contracts/contract.js';

const HOUR_MS = 3_600_000;
const TRUST = { minVersion: 'TLSv1.2', verify: true } as const;
const QUESTION: Patience = { attempts: 1, breaker: 'counts' };

type Behaviour = (response: ServerResponse) => void;
const fine: Behaviour = (response) => response.end('fine');
const later: Behaviour = (response) => response.writeHead(429).end('later');
const broken: Behaviour = (response) => response.writeHead(500).end('broken');
const reset: Behaviour = (response) => response.socket?.destroy();

let server: Server;
let behave: Behaviour;
let calls = 0;

beforeAll(async () => {
  server = createServer((_, response) => {
    calls += 1;
    behave(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

beforeEach(() => {
  behave = fine;
  calls = 0;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function calling(
  { failures = 3, restMs = HOUR_MS, firstPauseMs = 1, port = (server.address() as AddressInfo).port },
  use: (
    ask: (patience?: Patience, signal?: AbortSignal, call?: Partial<Call>) => Promise<string>,
    caller: PatientCaller,
  ) => Promise<void>,
): Promise<void> {
  const address = { protocol: 'http', host: '127.0.0.1', port, trust: TRUST, connectMs: 1_000 } as const;
  const caller = new PatientCaller(new HttpCaller(address), { failures, restMs }, firstPauseMs);
  try {
    await use(async (patience = QUESTION, signal = never(), more = {}) => {
      const call: Call = { method: 'GET', path: '/', headers: {}, timeoutMs: 5_000, connection: 'kept', ...more };
      const { status, text } = await caller.ask(() => call, patience, signal);
      return `${status} ${text}`;
    }, caller);
  } finally {
    caller.close();
  }
}

type Ask = Parameters<Parameters<typeof calling>[1]>[0];

async function breakIt(ask: Ask, failures = 3): Promise<void> {
  behave = broken;
  for (let failure = 0; failure < failures; failure++) expect(await ask()).toBe('500 broken');
}

/** What comes of the one question that is let through when the rest is over. */
async function letThrough(ask: Ask, signal = never(), call: Partial<Call> = {}): Promise<unknown> {
  for (;;) {
    const outcome = await ask(QUESTION, signal, call).catch((error: unknown) => error);
    if (!(outcome instanceof Trouble)) return outcome;
    await turns(1);
  }
}

/** Has a question try for all, and leaves it. What comes back answers it. */
async function leaveTheTrial(
  ask: Ask,
  call: Partial<Call> = {},
  onClose: () => void = () => undefined,
): Promise<(how: Behaviour) => void> {
  let tried: ServerResponse | undefined;
  behave = (response) => (tried = response).once('close', onClose);
  const left = new AbortController();
  const trial = letThrough(ask, left.signal, call);
  await until(() => tried !== undefined, 'it tries');
  left.abort(new Error('the client left'));
  expect(await within(trial, 'the end')).toBe(left.signal.reason);
  return (how) => tried && how(tried);
}

describe('the breaker', () => {
  test('keeps calls away after so many failures in a row, answers of 5xx and lost ones alike', () =>
    calling({}, async (ask) => {
      behave = broken;
      await ask();
      behave = reset;
      await expect(ask()).rejects.toThrow('hung up');
      await expect(ask()).rejects.toThrow('hung up');
      behave = fine;
      await expect(ask()).rejects.toMatchObject({ code: 'GM_UNAVAILABLE', mayHaveArrived: false });
      await expect(ask()).rejects.toThrow('left alone');
      expect(calls).toBe(3);
    }));

  test('counts anew after each success, and no question that was given up', () =>
    calling({}, async (ask) => {
      for (let round = 0; round < 3; round++) {
        await breakIt(ask, 2);
        behave = fine;
        expect(await ask()).toBe('200 fine');
      }
      behave = () => undefined;
      for (let round = 0; round < 5; round++) {
        const giveUp = new AbortController();
        const before = calls;
        const question = ask(QUESTION, giveUp.signal);
        await until(() => calls > before, 'it is asked');
        giveUp.abort(new Error('given up'));
        expect(await rejectionOf(question)).toBe(giveUp.signal.reason);
      }
      behave = fine;
      expect(await ask()).toBe('200 fine');
    }));

  test('lets one try after each rest and nobody beside it, and all when that one succeeds', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      let answer = () => undefined as void;
      behave = (response) => void (answer = () => fine(response));
      const trial = letThrough(ask);
      await until(() => calls === 4, 'one tries');
      await expect(ask()).rejects.toThrow('left alone');
      answer();
      expect(await trial).toBe('200 fine');
      behave = fine;
      expect(await ask()).toBe('200 fine');
      await breakIt(ask, 2);
    }));

  test('begins another rest when the one that tries fails, and that one is asked once', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      await until(async () => (await ask(thrice).catch(() => '')) === '500 broken', 'one tries');
      await expect(ask()).rejects.toThrow('left alone');
      expect(calls).toBe(4);
    }));

  test('lets the one that tries go on when whoever asked has left, who is free at once: all may ask when it succeeds', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      const answer = await leaveTheTrial(ask);
      await expect(ask()).rejects.toThrow('left alone');
      behave = fine;
      answer(fine);
      await until(async () => (await ask().catch(() => '')) === '200 fine', 'all may ask');
      // Those that were kept away did not get here.
      expect(calls).toBe(5);
      expect(await ask()).toBe('200 fine');
    }));

  test('begins another rest when the one that tries fails, though whoever asked has left', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      const answer = await leaveTheTrial(ask);
      behave = fine;
      const begun = Date.now();
      answer(broken);
      expect(await letThrough(ask)).toBe('200 fine');
      expect(Date.now() - begun).toBeGreaterThanOrEqual(50);
    }));

  test('bounds the one that tries by the time of a call, though nobody waits for it', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      await leaveTheTrial(ask, { timeoutMs: 100 });
      behave = fine;
      expect(await within(letThrough(ask), 'another may try')).toBe('200 fine');
    }));

  test('ends the one that tries when the caller is closed', () =>
    calling({ restMs: 50 }, async (ask, caller) => {
      await breakIt(ask);
      let isOver = false;
      await leaveTheTrial(ask, { timeoutMs: HOUR_MS }, () => (isOver = true));
      await turns(10);
      expect(isOver).toBe(false);
      caller.close();
      await until(() => isOver, 'the end of the call');
    }));

  test('takes 429 for a sign of life, in a rest as well, and asks again all the same', () =>
    calling({ restMs: 50 }, async (ask) => {
      behave = later;
      for (let round = 0; round < 5; round++) expect(await ask({ attempts: 2, breaker: 'counts' })).toBe('429 later');
      expect(calls).toBe(10);
      await breakIt(ask, 2);
      behave = later;
      expect(await ask()).toBe('429 later');
      await breakIt(ask);
      behave = later;
      expect(await letThrough(ask)).toBe('429 later');
      expect(await ask()).toBe('429 later');
    }));

  test('counts a question once, however often it is asked again', () =>
    calling({}, async (ask) => {
      behave = broken;
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      for (let question = 0; question < 3; question++) expect(await ask(thrice)).toBe('500 broken');
      expect(calls).toBe(9);
      await expect(ask(thrice)).rejects.toThrow('left alone');
    }));

  test('keeps away those who heed it and does not count them, and does not concern those who ignore it', () =>
    calling({}, async (ask) => {
      behave = broken;
      for (let round = 0; round < 5; round++) await ask({ attempts: 1, breaker: 'heeds' });
      for (let round = 0; round < 5; round++) await ask({ attempts: 1, breaker: 'ignores' });
      expect(await ask()).toBe('500 broken');
      await breakIt(ask, 2);
      await expect(ask({ attempts: 1, breaker: 'heeds' })).rejects.toThrow('left alone');
      expect(await ask({ attempts: 1, breaker: 'ignores' })).toBe('500 broken');
    }));

  test('lets those who heed it through when the rest is over, though nobody else has tried yet', () =>
    calling({ restMs: 50 }, async (ask) => {
      await breakIt(ask);
      behave = fine;
      const heeding: Patience = { attempts: 1, breaker: 'heeds' };
      await until(async () => (await ask(heeding).catch(() => '')) === '200 fine', 'it is let through');
      expect(await ask(heeding)).toBe('200 fine');
    }));
});

describe('asking again', () => {
  test('is for what may pass, so often and no more, and never for what was late or wrong', () =>
    calling({ failures: 1_000 }, async (ask) => {
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      behave = broken;
      expect(await ask(thrice)).toBe('500 broken');
      behave = later;
      expect(await ask(thrice)).toBe('429 later');
      behave = reset;
      await expect(ask(thrice)).rejects.toThrow('hung up');
      expect(calls).toBe(9);
      behave = () => undefined;
      await expect(ask(thrice, never(), { timeoutMs: 50 })).rejects.toMatchObject({ code: 'GM_TIMEOUT' });
      behave = (response) => response.writeHead(404).end('no');
      expect(await ask(thrice)).toBe('404 no');
      expect(calls).toBe(11);
    }));

  test('ends when others have found the server down', () =>
    calling({ failures: 2, firstPauseMs: 200 }, async (ask) => {
      behave = broken;
      const question = rejectionOf(ask({ attempts: 5, breaker: 'counts' }));
      await until(() => calls === 1, 'it is asked');
      await breakIt(ask, 2);
      const trouble = await question;
      expect(trouble).toMatchObject({ message: expect.stringContaining('left alone'), mayHaveArrived: true });
      expect(calls).toBe(3);
    }));

  test('ends at once when the question is given up in a pause, or its time is over', () =>
    calling({ failures: 1_000, firstPauseMs: HOUR_MS }, async (ask) => {
      behave = broken;
      const giveUp = new AbortController();
      const question = ask({ attempts: 3, breaker: 'counts' }, giveUp.signal);
      await until(() => calls === 1, 'it is asked');
      giveUp.abort(new Error('given up'));
      expect(await within(rejectionOf(question), 'the end')).toBe(giveUp.signal.reason);
      const late = ask({ attempts: 3, breaker: 'counts', withinMs: 100 });
      await expect(within(late, 'the end')).rejects.toMatchObject({
        code: 'GM_TIMEOUT',
        message: 'no answer within 100 ms',
      });
      expect(calls).toBe(2);
    }));
});

test('whether a question may have arrived is known: not where nobody listens or there is no such host', async () => {
  const mayHaveArrived = async (trouble: Promise<unknown>) => {
    const reason = await rejectionOf(trouble);
    return reason instanceof Trouble ? reason.mayHaveArrived : reason;
  };
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  await calling({ port }, async (ask) => expect(await mayHaveArrived(ask())).toBe(false));
  await calling({}, async (ask) => {
    behave = reset;
    expect(await mayHaveArrived(ask())).toBe(true);
    behave = () => undefined;
    expect(await mayHaveArrived(ask(QUESTION, never(), { timeoutMs: 50 }))).toBe(true);
  });
  const noHost = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' });
  expect(Trouble.of(noHost).mayHaveArrived).toBe(false);
});

test('an answer tells whether an earlier attempt may have arrived: not where nobody listened', async () => {
  const patience: Patience = { attempts: 2, breaker: 'ignores' };
  const call: Call = { method: 'GET', path: '/', headers: {}, timeoutMs: 5_000, connection: 'own' };
  await calling({}, async (_, caller) => {
    expect(await caller.ask(() => call, patience, never())).toMatchObject({ earlierMayHaveArrived: false });
    for (const failure of [reset, broken, later]) {
      behave = (response) => {
        behave = fine;
        failure(response);
      };
      expect(await caller.ask(() => call, patience, never())).toMatchObject({ earlierMayHaveArrived: true });
    }
  });
  const late = createServer((_, response) => fine(response));
  late.listen(0);
  const { port } = late.address() as AddressInfo;
  await new Promise((resolve) => late.close(resolve));
  try {
    await calling({ port }, async (_, caller) => {
      let made = 0;
      const makeCall = () => {
        if ((made += 1) === 2) late.listen(port);
        return call;
      };
      expect(await caller.ask(makeCall, patience, never())).toEqual({
        status: 200,
        text: 'fine',
        earlierMayHaveArrived: false,
      });
      expect(made).toBe(2);
    });
  } finally {
    late.closeAllConnections();
    late.close();
  }
});
