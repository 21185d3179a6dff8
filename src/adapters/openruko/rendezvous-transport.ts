import type { TLSSocket } from 'node:tls';
import type { Dyno } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { DynoSession, Transport, TransportCapabilities } from '../../ports/transport.js';
import { firstWords, type Failure } from './first-words.js';
import { RendezvousSession } from './rendezvous-session.js';
import { connectTls, type TlsTrust } from '../remote/tls.js';
import { Trouble } from '../remote/trouble.js';

export interface RendezvousSettings {
  /** Of every dyno host (`DYNOHOST_RENDEZVOUS_PORT`). */
  readonly port: number;
  /** What the dyno hosts know gitmouth by (`APISERVER_KEY`). */
  readonly serviceKey: string;
  readonly trust: TlsTrust;
  readonly connectMs: number;
  /** From the connection on, how long a dyno may take until git says its first word. */
  readonly firstWordMs: number;
}

export const DEFAULT_RENDEZVOUS_LIMITS = { connectMs: 5_000, firstWordMs: 60_000 } as const;

const KEEP_ALIVE_MS = 30_000;
const WHOSE = 'the dyno host';

/** Dynos of Openruko's dyno hosts: one TLS connection each, with a header of two lines and then raw bytes. */
export class RendezvousTransport implements Transport {
  readonly kind = 'rendezvous';
  /** Nothing that tells of an end or brings one about; both outputs come as one. Nor does an end of input get through. */
  readonly capabilities: TransportCapabilities = {
    signals: false,
    exitStatus: false,
    stderr: false,
    pause: false,
  };
  readonly #settings: RendezvousSettings;

  constructor(settings: RendezvousSettings) {
    this.#settings = settings;
  }

  /**
   * Opens when git has said its first word. Bytes that come before the dyno is up crash the original dyno host, and so
   * there is no session yet that could take any from the client.
   */
  async open(dyno: Dyno, signal: AbortSignal): Promise<DynoSession> {
    signal.throwIfAborted();
    const { link } = dyno;
    if (link.kind !== 'rendezvous') throw new Error(`dyno ${dyno.id} has a link of kind ${link.kind}`);
    const socket = await this.#connect(link.host, signal);
    try {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      // One write: the dyno host takes the first chunk it reads for the header, whatever is or is not in it.
      socket.write(`${this.#settings.serviceKey}\n${dyno.id}\n`);
      const first = await this.#firstBytes(socket, signal);
      return new RendezvousSession(socket, first, link.service);
    } catch (error) {
      socket.destroy();
      signal.throwIfAborted();
      throw error instanceof Trouble ? error.toFault('connect', WHOSE) : error;
    }
  }

  async #connect(host: string, signal: AbortSignal): Promise<TLSSocket> {
    const { port, trust, connectMs } = this.#settings;
    try {
      return await connectTls({ host, port, trust, connectMs }, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof Trouble ? error.toFault('connect', `${WHOSE} ${host}:${port}`) : error;
    }
  }

  /** Git's, or a fault that says what came in their place. */
  async #firstBytes(socket: TLSSocket, signal: AbortSignal): Promise<Buffer> {
    const { firstWordMs, serviceKey } = this.#settings;
    const deadline = performance.now() + firstWordMs;
    let bytes: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk: unknown = socket.read();
      if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk]);
      const verdict = firstWords(bytes, socket.readableEnded || socket.destroyed, serviceKey);
      if (verdict === 'git') return bytes;
      if (verdict !== 'more') throw faultOf(verdict);
      if (chunk !== null) continue;
      if (!(await somethingHappens(socket, deadline - performance.now(), signal)))
        throw Trouble.late(`the dyno has said nothing within ${firstWordMs} ms`);
    }
  }
}

/** Waits for bytes or for the end; false when the time is over. */
function somethingHappens(socket: TLSSocket, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close'] as const;
    const settle = (happened: boolean) => () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      for (const event of events) socket.off(event, happens);
      if (signal.aborted) reject(signal.reason);
      else resolve(happened);
    };
    const happens = settle(true);
    const giveUp = settle(false);
    const timer = setTimeout(giveUp, Math.max(0, timeoutMs));
    signal.addEventListener('abort', giveUp, { once: true });
    for (const event of events) socket.once(event, happens);
  });
}

function faultOf({ why, words }: Failure): Fault {
  switch (why) {
    case 'no-dyno':
      return new Fault('GM_DYNO_LOST', 'connect', `${WHOSE} knows no such dyno: it ended, or never was (${words})`);
    case 'not-provisioned':
      return new Fault('GM_DYNO_START', 'connect', `${WHOSE} could not provision the dyno (${words})`);
    case 'silent':
      return new Fault('GM_DYNO_LOST', 'connect', 'the dyno was gone before git had said a word');
    case 'nonsense':
      return new Fault('GM_BAD_ANSWER', 'connect', `the dyno's first words are not git's: ${words}`);
  }
}
