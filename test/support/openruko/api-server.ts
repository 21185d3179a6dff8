/** The API server, as gitmouth sees it: three calls, and the ways in which they may go wrong. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { SecureVersion } from 'node:tls';
import type { Identity } from './certificates.js';
import { misbehave, type Misbehaviour } from './misbehaviour.js';

export type Route = 'lookup' | 'app' | 'gitaction';

/** What a dyno host answers that takes a job; undefined when it has no room. */
export type TakeJob = (app: string, command: string) => { host: string; dyno_id: string } | undefined;

export interface ApiServerOptions {
  readonly identity: Identity;
  /** The original's are 500 ms and 20 times. */
  readonly pollMs?: number;
  readonly polls?: number;
  readonly takeJob?: TakeJob;
  readonly maxVersion?: SecureVersion;
  /** What it agrees to, as OpenSSL writes it. */
  readonly ciphers?: string;
}

interface App {
  readonly owner: string;
  readonly collaborators: Set<string>;
}

export const SERVICE_KEY = 'service-key-0b1c2d3e';

export class ApiServer {
  readonly serviceKey = SERVICE_KEY;
  /** Each call that came in: route, what it was about, and the password that came with it. */
  readonly calls: { readonly route: Route; readonly about: string; readonly password: string }[] = [];
  /** Calls that are not answered yet. */
  readonly open = new Set<IncomingMessage>();
  connections = 0;
  readonly #options: ApiServerOptions;
  readonly #server: Server;
  readonly #users = new Map<string, { readonly apiKey: string; readonly keys: Set<string> }>();
  readonly #apps = new Map<string, App>();
  readonly #misbehaviours = new Map<Route, { how: Misbehaviour; times: number }>();
  #over = new AbortController();
  #port = 0;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    const { identity, maxVersion, ciphers } = options;
    const versions = maxVersion === undefined ? {} : { maxVersion, minVersion: 'TLSv1' as const };
    const tls = { key: identity.key, cert: identity.cert, ...versions, ...(ciphers === undefined ? {} : { ciphers }) };
    this.#server = createServer(tls, (request, response) => this.#receive(request, response));
    this.#server.on('secureConnection', () => (this.connections += 1));
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    await server.restart();
    return server;
  }

  /** The same one also after `restart`. */
  get port(): number {
    return this.#port;
  }

  /** Comes back after `stop`, where it was and with what it knew. */
  async restart(): Promise<void> {
    this.#over = new AbortController();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** It dies in the middle of whatever it does. Idempotent. */
  async stop(): Promise<void> {
    this.#over.abort();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** @param md5 of one more key of the user; the first makes the user. */
  register(user: string, md5: string): void {
    const known = this.#users.get(user) ?? { apiKey: `api-key-of-${user}`, keys: new Set() };
    this.#users.set(user, known);
    known.keys.add(md5);
  }

  removeKey(user: string, md5: string): void {
    this.#users.get(user)?.keys.delete(md5);
  }

  removeUser(user: string): void {
    this.#users.delete(user);
  }

  apiKeyOf(user: string): string | undefined {
    return this.#users.get(user)?.apiKey;
  }

  get apiKeys(): readonly string[] {
    return [...this.#users.values()].map(({ apiKey }) => apiKey);
  }

  createApp(name: string, owner: string): void {
    this.#apps.set(name, { owner, collaborators: new Set() });
  }

  destroyApp(name: string): void {
    this.#apps.delete(name);
  }

  addCollaborator(app: string, user: string): void {
    this.#apps.get(app)?.collaborators.add(user);
  }

  /** From now on, so many times. */
  misbehave(route: Route, how: Misbehaviour, times = Infinity): void {
    this.#misbehaviours.set(route, { how, times });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    this.open.add(request);
    response.once('close', () => this.open.delete(request));
    const url = new URL(request.url ?? '/', 'https://localhost');
    const password = passwordOf(request);
    const gitaction = /^\/internal\/([^/]+)\/gitaction$/.exec(url.pathname)?.[1];
    const app = /^\/apps\/([^/]+)$/.exec(url.pathname)?.[1];
    if (url.pathname === '/internal/lookupUserByPublicKey' && request.method === 'GET') {
      const fingerprint = url.searchParams.get('fingerprint') ?? '';
      if (this.#behaves('lookup', fingerprint, request, response)) this.#lookUp(fingerprint, password, response);
    } else if (gitaction !== undefined && request.method === 'POST') {
      const command = url.searchParams.get('command') ?? '';
      if (this.#behaves('gitaction', gitaction, request, response))
        void this.#gitAction(decodeURIComponent(gitaction), command, password, response);
    } else if (app !== undefined && request.method === 'GET') {
      if (this.#behaves('app', app, request, response)) this.#showApp(decodeURIComponent(app), password, response);
    } else {
      json(response, 404, { error: 'No such route' });
    }
  }

  #behaves(route: Route, about: string, request: IncomingMessage, response: ServerResponse): boolean {
    this.calls.push({ route, about, password: passwordOf(request) });
    const planned = this.#misbehaviours.get(route);
    if (planned === undefined || planned.times <= 0) return true;
    planned.times -= 1;
    misbehave(planned.how, request, response);
    return false;
  }

  #lookUp(fingerprint: string, password: string, response: ServerResponse): void {
    if (password !== this.serviceKey) return json(response, 401, { error: 'Access denied' });
    const holder = [...this.#users].find(([, { keys }]) => keys.has(fingerprint));
    if (holder === undefined) return json(response, 404, { error: `Fingerprint ${fingerprint} not found.` });
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(`${holder[0]}:${holder[1].apiKey}`);
  }

  #showApp(name: string, password: string, response: ServerResponse): void {
    const user = [...this.#users].find(([, { apiKey }]) => apiKey === password)?.[0];
    if (user === undefined) return json(response, 401, { error: 'Access denied' });
    const app = this.#apps.get(name);
    if (app === undefined) return json(response, 404, { error: 'App not found.' });
    if (app.owner !== user && !app.collaborators.has(user))
      return json(response, 404, { error: 'User not authorized' });
    json(response, 200, { id: 7, name, user_id: app.owner, git_url: `git@localhost:${name}.git`, web_url: '' });
  }

  /** Asks its dyno hosts again and again whether one takes the job, and holds the call meanwhile. */
  async #gitAction(app: string, command: string, password: string, response: ServerResponse): Promise<void> {
    const { pollMs = 5, polls = 20, takeJob } = this.#options;
    if (password !== this.serviceKey) return json(response, 401, { error: 'Access denied' });
    if (!this.#apps.has(app)) return json(response, 404, { error: 'App not found.' });
    for (let poll = 0; poll < polls; poll++) {
      const taken = takeJob?.(app, command);
      if (taken !== undefined) return json(response, 200, { ...taken, rez_id: taken.dyno_id });
      await pause(pollMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
      if (this.#over.signal.aborted) return;
    }
    json(response, 503, { error: 'job not assigned' });
  }
}

/** The user name is empty, and the key is the password. */
function passwordOf({ headers }: IncomingMessage): string {
  const encoded = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
  const [user, password] = Buffer.from(encoded, 'base64').toString().split(/:(.*)/s);
  return user === '' ? (password ?? '') : '';
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
