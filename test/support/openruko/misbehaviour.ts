/** Ways in which an HTTP server may fail its callers. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export type Misbehaviour =
  /** Takes the call and never answers. */
  | 'slow'
  /** Sends the head of an answer and then nothing more. */
  | 'slow-body'
  /** Ends the connection in place of an answer. */
  | 'closed'
  | 'reset'
  /** Bytes that are no HTTP. */
  | 'garbage'
  /** 200, and a page for people. */
  | 'html'
  /** 200, and JSON that answers another question. */
  | 'other-json'
  | 'empty'
  /** Less than was announced, then the end. */
  | 'half-body'
  | 'huge'
  /** To itself, for who would follow it. */
  | 'redirect'
  /** 500, saying what it was given: the key, plain and as it came. */
  | 'echo'
  /** As the original says it to a wrong key. */
  | 'denied'
  /** 404, and a page for people: of a proxy, say. */
  | 'html-404'
  /** 404, in JSON that is not the original's. */
  | 'other-404'
  | 'teapot'
  /** 500, as the original says it. */
  | 'broken'
  /** 502, and a page for people. */
  | 'bad-gateway';

const PAGE = '<!doctype html><title>Sorry</title><h1>Something went wrong</h1>';

export function misbehave(how: Misbehaviour, request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const answer = (status: number, body: string, type = 'application/json') =>
    void response.writeHead(status, { 'Content-Type': type }).end(body);
  switch (how) {
    case 'slow':
      return;
    case 'slow-body':
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('2:');
      return;
    case 'closed':
      socket.end();
      return;
    case 'reset':
      socket.destroy();
      return;
    case 'garbage':
      socket.end('\x00\x01SSH-2.0-not-http\r\n\r\n');
      return;
    case 'html':
      return answer(200, PAGE, 'text/html');
    case 'other-json':
      return answer(200, '{"ok":true}');
    case 'empty':
      return answer(200, '');
    case 'half-body':
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('{"host":"127.0.0.1","na');
      setImmediate(() => socket.destroy());
      return;
    case 'huge':
      return answer(200, `{"error":"${'x'.repeat(1024 * 1024)}"}`);
    case 'redirect':
      response.writeHead(307, { Location: request.url ?? '/' }).end();
      return;
    case 'echo': {
      const { authorization = '' } = request.headers;
      const decoded = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString();
      return answer(500, JSON.stringify({ error: `${authorization} is ${decoded}` }));
    }
    case 'denied':
      return answer(401, '{"error":"Access denied"}');
    case 'html-404':
      return answer(404, PAGE, 'text/html');
    case 'other-404':
      return answer(404, '{"error":"No such route"}');
    case 'teapot':
      return answer(418, '{"error":"short and stout"}');
    case 'broken':
      return answer(500, '{"error":"Server Error. Check status page."}');
    case 'bad-gateway':
      return answer(502, PAGE, 'text/html');
  }
}
