import { setMaxListeners } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import fetch, { FetchError, type Response } from 'node-fetch';
import { connectTls, type Peer, type TlsTrust } from './tls.js';
import { Trouble } from './trouble.js';

/** No answer that is wanted comes near it. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** Connections that wait for the next call; more than these are made and closed again. */
const MAX_IDLE = 16;
const MAX_CONNECTIONS = 256;

export interface Call {
  readonly method: 'GET' | 'POST';
  /** With everything that came from outside escaped. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /**
   * `kept`: one of those that are used again and again, and that the server may close in the very moment it is used.
   * `own`: for what must not be repeated, and for what lasts and would keep others waiting.
   */
  readonly connection: 'kept' | 'own';
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface ApiAddress {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly trust: TlsTrust;
  readonly connectMs: number;
}

/** Makes single HTTP calls, bounded in time and size; follows nothing and repeats nothing. */
export class HttpCaller {
  readonly #base: string;
  readonly #kept: HttpAgent;
  readonly #single: HttpAgent;

  constructor(address: ApiAddress) {
    const { protocol, host, port } = address;
    this.#base = `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#kept = agentFor(address, true);
    this.#single = agentFor(address, false);
  }

  /** @throws Trouble, or the signal's reason when it aborts. */
  async call(call: Call, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const over = new AbortController();
    const giveUp = () => over.abort();
    const timer = setTimeout(giveUp, call.timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const response = await this.#fetch(call, over.signal);
      return { status: response.status, text: await response.text() };
    } catch (error) {
      const isLate = over.signal.aborted;
      // Whatever is still to come of the answer is not waited for.
      over.abort();
      signal.throwIfAborted();
      throw isLate ? Trouble.late(`no answer within ${call.timeoutMs} ms`) : troubleOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends every connection. */
  close(): void {
    this.#kept.destroy();
    this.#single.destroy();
  }

  #fetch({ method, path, headers, body, connection }: Call, signal: AbortSignal): Promise<Response> {
    return fetch(this.#base + path, {
      method,
      headers: { ...headers, 'User-Agent': 'gitmouth' },
      ...(body === undefined ? {} : { body }),
      agent: connection === 'kept' ? this.#kept : this.#single,
      // The keys are for this server and not for whoever it may point to.
      redirect: 'manual',
      // A small answer that unpacks to a huge one is none we could want.
      compress: false,
      size: MAX_ANSWER_BYTES,
      signal,
    });
  }
}

function agentFor(address: ApiAddress, keepAlive: boolean): HttpAgent {
  const options = { keepAlive, maxFreeSockets: MAX_IDLE, maxSockets: MAX_CONNECTIONS };
  return address.protocol === 'http' ? new HttpAgent(options) : new TrustingAgent(options, address);
}

/**
 * Hands a connection out when its peer is known to be the right one: Node's own agent queues the request, with the key
 * in it, on a connection whose certificate nobody has compared with the pinned one yet.
 */
class TrustingAgent extends HttpsAgent {
  readonly #peer: Peer;
  readonly #over = new AbortController();

  constructor(options: ConstructorParameters<typeof HttpsAgent>[0], peer: Peer) {
    super(options);
    this.#peer = peer;
    // One for each connection that is being made, and those are bounded.
    setMaxListeners(0, this.#over.signal);
  }

  /** Ends those too that are only being made. */
  override destroy(): void {
    this.#over.abort(new Error('the client was closed'));
    super.destroy();
  }

  override createConnection(_options: unknown, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    connectTls(this.#peer, this.#over.signal).then(
      (socket) => callback?.(null, socket),
      // Its type wants a stream beside the error; Node itself passes none.
      (error: unknown) => callback && void Reflect.apply(callback, undefined, [error]),
    );
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof FetchError && error.type === 'max-size')
    return Trouble.wrong(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`);
  return Trouble.of(error);
}
