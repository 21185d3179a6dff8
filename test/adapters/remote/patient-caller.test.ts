/** Asking again, and what is known of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import type { Call } from '../../../src/adapters/remote/http-caller.js';
import type { Patience } from '../../../src/adapters/remote/patient-caller.js';
import { Trouble } from '../../../src/adapters/remote/trouble.js';
import { never, rejectionOf, until, within } from '../../../src/contracts/contract.js';
import { breakIt, broken, calling, fine, HOUR_MS, later, peer, QUESTION, reset } from './ground.js';

describe('asking again', () => {
  test('is for what may pass, so often and no more, and never for what was late or wrong', () =>
    calling({ failures: 1_000 }, async (ask) => {
      const thrice: Patience = { attempts: 3, breaker: 'counts' };
      peer.behave = broken;
      expect(await ask(thrice)).toBe('500 broken');
      peer.behave = later;
      expect(await ask(thrice)).toBe('429 later');
      peer.behave = reset;
      await expect(ask(thrice)).rejects.toThrow('hung up');
      expect(peer.calls).toBe(9);
      peer.behave = () => undefined;
      await expect(ask(thrice, never(), { timeoutMs: 50 })).rejects.toMatchObject({ code: 'GM_TIMEOUT' });
      peer.behave = (response) => response.writeHead(404).end('no');
      expect(await ask(thrice)).toBe('404 no');
      expect(peer.calls).toBe(11);
    }));

  test('ends when others have found the server down', () =>
    calling({ failures: 2, firstPauseMs: 200 }, async (ask) => {
      peer.behave = broken;
      const question = rejectionOf(ask({ attempts: 5, breaker: 'counts' }));
      await until(() => peer.calls === 1, 'it is asked');
      await breakIt(ask, 2);
      const trouble = await question;
      expect(trouble).toMatchObject({ message: expect.stringContaining('left alone'), mayHaveArrived: true });
      expect(peer.calls).toBe(3);
    }));

  test('ends at once when the question is given up in a pause, or its time is over', () =>
    calling({ failures: 1_000, firstPauseMs: HOUR_MS }, async (ask) => {
      peer.behave = broken;
      const giveUp = new AbortController();
      const question = ask({ attempts: 3, breaker: 'counts' }, giveUp.signal);
      await until(() => peer.calls === 1, 'it is asked');
      giveUp.abort(new Error('given up'));
      expect(await within(rejectionOf(question), 'the end')).toBe(giveUp.signal.reason);
      const late = ask({ attempts: 3, breaker: 'counts', withinMs: 100 });
      await expect(within(late, 'the end')).rejects.toMatchObject({
        code: 'GM_TIMEOUT',
        message: 'no answer within 100 ms',
      });
      expect(peer.calls).toBe(2);
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
    peer.behave = reset;
    expect(await mayHaveArrived(ask())).toBe(true);
    peer.behave = () => undefined;
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
      peer.behave = (response) => {
        peer.behave = fine;
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
