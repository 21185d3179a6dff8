/** A server on this machine that does as it is told, and a caller with patience for it. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import { HttpCaller, type Call } from '../../../src/adapters/remote/http-caller.js';
import { PatientCaller, type Patience } from '../../../src/adapters/remote/patient-caller.js';
import { never } from '../../../src/contracts/contract.js';

export const HOUR_MS = 3_600_000;
const TRUST = { minVersion: 'TLSv1.2', verify: true } as const;
export const QUESTION: Patience = { attempts: 1, breaker: 'counts' };

export type Behaviour = (response: ServerResponse) => void;
export const fine: Behaviour = (response) => response.end('fine');
export const later: Behaviour = (response) => response.writeHead(429).end('later');
export const broken: Behaviour = (response) => response.writeHead(500).end('broken');
export const reset: Behaviour = (response) => response.socket?.destroy();

let server: Server;
/** What the server does from now on, and the calls that it got. */
export const peer = { behave: fine, calls: 0 };

beforeAll(async () => {
  server = createServer((_, response) => {
    peer.calls += 1;
    peer.behave(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

beforeEach(() => {
  peer.behave = fine;
  peer.calls = 0;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

export async function calling(
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

export type Ask = Parameters<Parameters<typeof calling>[1]>[0];

export async function breakIt(ask: Ask, failures = 3): Promise<void> {
  peer.behave = broken;
  for (let failure = 0; failure < failures; failure++) expect(await ask()).toBe('500 broken');
}
