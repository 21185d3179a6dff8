/** A small platform, as docs/platform-api.yaml has it, and the ways in which its API may go wrong. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Identity } from '../openruko/certificates.js';
import { misbehave, type Misbehaviour } from '../openruko/misbehaviour.js';
import { answerProblem, requestProblem, routeOf, type OperationId } from './document.js';
import { keyProblem, PeopleAndApps, type AuthorizeBody, type FindUserBody } from './people-and-apps.js';
import { Sessions, type DynoMaker, type EndBody, type OpenBody } from './sessions.js';
import { credentialProblem, type Credential } from './signature.js';

export const SECRET = 'a secret of platform and gitmouth';
export const TOKEN = 'token-0b1c2d3e4f';

export interface PlatformOptions {
  /** Without one it speaks plain HTTP. */
  readonly identity?: Identity;
  readonly credential?: Credential;
  /** What comes before every path. */
  readonly prefix?: string;
  readonly maker?: DynoMaker;
}

/** Of its own accord, in place of what it would say. */
type Whim =
  | { readonly how: Misbehaviour }
  /** It does what it is asked, and the answer is lost. */
  | { readonly how: 'lost-answer' }
  | { readonly how: 'say'; readonly status: number; readonly body: unknown };

export interface ReceivedCall {
  readonly operation: OperationId;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

type Routed = NonNullable<ReturnType<typeof routeOf>>;

export class PlatformServer {
  readonly people = new PeopleAndApps();
  readonly sessions: Sessions;
  readonly calls: ReceivedCall[] = [];
  /** Where a question or an answer was not as the document has it. */
  readonly violations: string[] = [];
  /** Private keys that it keeps for gitmouth itself. */
  hostKeys: readonly { readonly private_key: string; readonly state: 'current' | 'next' }[] = [];
  /** Calls that are not answered yet. */
  readonly open = new Set<IncomingMessage>();
  connections = 0;
  #port = 0;
  readonly #options: PlatformOptions;
  readonly #server: Server;
  readonly #whims = new Map<OperationId, { whim: Whim; times: number }>();

  private constructor(options: PlatformOptions) {
    this.#options = options;
    this.sessions = new Sessions(options.maker);
    const listener: RequestListener = (request, response) => void this.#receive(request, response);
    const { identity } = options;
    this.#server =
      identity === undefined
        ? createPlainServer(listener)
        : createServer({ key: identity.key, cert: identity.cert }, listener);
    this.#server.on(identity === undefined ? 'connection' : 'secureConnection', () => (this.connections += 1));
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(options: PlatformOptions, port = 0): Promise<PlatformServer> {
    const server = new PlatformServer(options);
    await server.#listen(port);
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** After a stop: with all it knew, at the same address. */
  restart(): Promise<void> {
    return this.#listen(this.#port);
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    const { identity, prefix = '' } = this.#options;
    return `${identity === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}${prefix}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  callsOf(operation: OperationId): readonly ReceivedCall[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** From now on, so many times. */
  misbehave(operation: OperationId, how: Misbehaviour | 'lost-answer', times = Infinity): void {
    this.#whims.set(operation, { whim: { how }, times });
  }

  /** From now on, so many times, whatever it is asked. */
  say(operation: OperationId, status: number, body: unknown, times = Infinity): void {
    this.#whims.set(operation, { whim: { how: 'say', status, body }, times });
  }

  behave(): void {
    this.#whims.clear();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open.add(request);
    response.once('close', () => this.open.delete(request));
    const bytes = await bytesOf(request);
    if (bytes === undefined) return;
    const { credential = { kind: 'hmac', secret: SECRET }, prefix = '' } = this.#options;
    const { pathname } = new URL(request.url ?? '/', 'https://localhost');
    const route = pathname.startsWith(prefix)
      ? routeOf(request.method ?? '', pathname.slice(prefix.length))
      : undefined;
    const unknown = credentialProblem(credential, request, bytes);
    if (unknown !== undefined) return send(response, 401, { error: unknown });
    if (route === undefined) return send(response, 404, { error: 'no such route' });
    const text = bytes.toString();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    this.calls.push({ operation: route.id, headers: request.headers, body });
    this.#complain(requestProblem(route, request.headers, body) ?? mismatch(route, request, body));
    await this.#answer(route, body, request, response);
  }

  async #answer(route: Routed, body: unknown, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const whim = this.#whimOf(route.id);
    if (whim?.how === 'say') return send(response, whim.status, whim.body);
    if (whim !== undefined && whim.how !== 'lost-answer') return misbehave(whim.how, request, response);
    const [status, answer] = await this.#do(route, body);
    this.#complain(answerProblem(route, status, answer));
    if (whim === undefined) send(response, status, answer);
    else request.socket.destroy();
  }

  #whimOf(operation: OperationId): Whim | undefined {
    const planned = this.#whims.get(operation);
    if (planned === undefined || planned.times <= 0) return undefined;
    planned.times -= 1;
    return planned.whim;
  }

  async #do({ id, parameters }: Routed, body: unknown): Promise<[number, object | undefined]> {
    switch (id) {
      case 'findUser':
        return [200, this.people.findUser(body as FindUserBody)];
      case 'authorize':
        return [200, this.people.authorize(body as AuthorizeBody)];
      case 'listAuthorities':
        return [200, { authorities: this.people.authorities }];
      case 'listApps':
        return [200, this.people.listApps(parameters['user'] ?? '')];
      case 'hostKeys':
        return [200, { host_keys: this.hostKeys }];
      case 'openSession':
        return this.#open(body as OpenBody);
      case 'endSession':
        await this.sessions.end(body as EndBody);
        return [204, undefined];
    }
  }

  async #open(request: OpenBody): Promise<[number, object]> {
    const { app, user, creates } = request;
    if (!this.people.hasApp(app)) {
      if (!creates) return [200, { refusal: { reason: 'no-access' } }];
      this.people.createApp(app, user);
    }
    const dyno = await this.sessions.open(request);
    if (dyno === 'ended') return [410, { error: 'this session has ended' }];
    return dyno === undefined ? [503, { error: 'no host has room' }] : [200, { dyno }];
  }

  #complain(problem: string | undefined): void {
    if (problem !== undefined) this.violations.push(problem);
  }
}

/** What the document can't say of a question: that its parts belong together. */
function mismatch({ id, parameters }: Routed, { headers }: IncomingMessage, body: unknown): string | undefined {
  if (id === 'listApps' || id === 'hostKeys' || id === 'listAuthorities') return undefined;
  const { key, session } = body as Partial<OpenBody>;
  const problem = key === undefined ? undefined : keyProblem(key);
  if (problem !== undefined) return `${id}: ${problem}`;
  const ids = [session, headers['x-gitmouth-session'], parameters['session'], headers['idempotency-key']];
  const distinct = new Set(ids.filter((given) => given !== undefined));
  return distinct.size <= 1 ? undefined : `${id}: it names the sessions ${[...distinct].join(', ')}`;
}

/** Undefined when whoever sends them left. */
async function bytesOf(request: IncomingMessage): Promise<Buffer | undefined> {
  try {
    return Buffer.concat((await request.toArray()) as Buffer[]);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (body === undefined) response.writeHead(status).end();
  else response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
