import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HealthServer } from '../../../src/adapters/system/health-server.js';
import { until } from '../../../src/contracts/contract.js';

let reason: string | undefined;
let server: HealthServer;
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  reason = undefined;
  server = new HealthServer(() => reason);
  ({ port } = await server.listen('127.0.0.1', 0));
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
});

async function ask(path: string, method = 'GET', body = '') {
  const asked = request({ host: '127.0.0.1', port, path, method, agent: false });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, text, headers: response.headers };
}

async function dial(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

describe('what is asked', () => {
  test('/livez is 200 whatever the matter is, and /readyz says what the matter is', async () => {
    expect(await ask('/livez')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask('/readyz?verbose')).toMatchObject({ status: 200, text: 'ok\n' });
    reason = 'draining';
    expect(await ask('/livez')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask('/readyz')).toMatchObject({ status: 503, text: 'draining\n' });
    expect(await ask('/readyz', 'HEAD')).toMatchObject({ status: 503, text: '' });
  });

  test.each([
    ['/', 'GET', 404],
    ['/metrics', 'GET', 404],
    ['/livez/', 'GET', 404],
    ['//livez', 'GET', 404],
    ['/livez', 'POST', 405],
    ['/readyz', 'DELETE', 405],
  ])('%s by %s is %d', async (path, method, status) => {
    const answer = await ask(path, method, method === 'POST' ? 'x'.repeat(100_000) : '');
    expect(answer.status).toBe(status);
    if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD');
  });

  test('one connection has one answer, and is closed after it', async () => {
    const socket = await dial();
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => (said += text));
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    await until(() => socket.closed, 'the connection to be closed');
    expect(said.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(said).toMatch(/^connection: close/im);
  });
});

describe('a client that holds on', () => {
  // Slow loris: a byte of the head now and then, for ever, on as many connections as the server takes.
  test('is cut after five seconds, however it trickles', async () => {
    const since = performance.now();
    const socket = await dial();
    socket.write('GET /livez HTTP/1.1\r\n');
    const trickle = setInterval(() => socket.write('x: y\r\n'), 200);
    try {
      await until(() => socket.closed, 'the connection to be closed', undefined, 8_000);
    } finally {
      clearInterval(trickle);
    }
    expect(performance.now() - since).toBeGreaterThan(4_500);
    expect(performance.now() - since).toBeLessThan(7_000);
  });

  test('keeps nobody out by holding many connections: the oldest goes', async () => {
    for (let count = 0; count < 200; count++) await dial();
    expect(await ask('/readyz')).toMatchObject({ status: 200 });
    await until(() => sockets.filter((socket) => !socket.closed).length <= 64, 'the oldest to be closed');
  });

  test('and sends a head without end, or no HTTP at all, is cut', async () => {
    const [endless, other] = [await dial(), await dial()];
    endless.write(`GET /livez HTTP/1.1\r\nx: ${'y'.repeat(10_000)}`);
    other.write('SSH-2.0-OpenSSH_9.6\r\n\r\n');
    await until(() => endless.closed && other.closed, 'both to be closed', undefined, 2_000);
    expect(await ask('/livez')).toMatchObject({ status: 200 });
  });
});
