/** A door under attack: attackers at one address, somebody honest at another, and a look at what the server holds. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { expect } from '@jest/globals';
import ssh2 from 'ssh2';
import type { SshServerOptions } from '../../../../src/adapters/ssh2/server.js';
import { DEFAULT_ADMISSION_LIMITS, type AdmissionLimits } from '../../../../src/domain/admission-policy.js';
import { turnedAwayLine, type TurnedAway } from '../../../../src/domain/words/turned-away.js';
import { until, within } from '../../../../src/contracts/contract.js';
import { HostileClient } from '../../../support/hostile/client.js';
import { makePair, openGround, type Ground, type Request } from '../ground.js';

export const MEBIBYTE = 1024 ** 2;
const HONEST_ADDRESS = '127.0.0.2';
/** What an honest user may have to wait while others attack: issue 3. */
const SERVED_LIMIT_MS = 1_000;
/** One slow moment of a busy machine decides nothing. */
const VISITS = 3;

const mallory = makePair();
const honest = makePair();

/** Reasons of RFC 4253 11.1 that the door gives. */
export const REASON = {
  PROTOCOL_ERROR: 2,
  KEY_EXCHANGE_FAILED: 3,
  BY_APPLICATION: 11,
  TOO_MANY: 12,
  NO_MORE_METHODS: 14,
};

export class AttackGround {
  /** What is done with an attacker's requests. The honest user is always told who they are. */
  command: (request: Request) => Promise<void> = async () => undefined;
  readonly #ground: Ground;
  readonly #clients: HostileClient[] = [];
  readonly #sockets: Socket[] = [];
  readonly #accepted = (message: unknown) => {
    this.#sockets.push((message as { readonly socket: Socket }).socket);
  };

  private constructor(ground: Ground) {
    this.#ground = ground;
    subscribe('net.server.socket', this.#accepted);
    const { gateway } = ground;
    gateway.platform.register('mallory', mallory.publicKey);
    gateway.platform.register('honest', honest.publicKey);
    const sayWho = gateway.command;
    gateway.command = (request) => (request.caller.user.name === 'honest' ? sayWho(request) : this.command(request));
  }

  static async open(limits: Partial<AdmissionLimits> = {}, options: Partial<SshServerOptions> = {}) {
    return new AttackGround(await openGround({ limits: { ...DEFAULT_ADMISSION_LIMITS, ...limits }, ...options }));
  }

  get inside(): Ground {
    return this.#ground;
  }

  get port(): number {
    return this.#ground.port;
  }

  /** The key that mallory is known by: attackers are users, too. */
  get key() {
    return mallory;
  }

  /** Connects, and says nothing. */
  dial(options?: Parameters<typeof HostileClient.dial>[1]): Promise<HostileClient> {
    return this.#kept(HostileClient.dial(this.port, options));
  }

  /** Connects and exchanges keys. */
  connect(options?: Parameters<typeof HostileClient.connect>[1]): Promise<HostileClient> {
    return this.#kept(HostileClient.connect(this.port, options));
  }

  /** Connects and logs in as mallory. */
  logIn(options?: Parameters<typeof HostileClient.logIn>[2]): Promise<HostileClient> {
    return this.#kept(HostileClient.logIn(this.port, mallory, options));
  }

  /** Somebody honest, at another address, is served by a real client within a second. */
  async expectHonestServed(): Promise<void> {
    const times: number[] = [];
    for (let visit = 0; visit < VISITS; visit++) {
      const since = performance.now();
      expect(await this.isHonestServed()).toBe(true);
      times.push(performance.now() - since);
    }
    expect(times.sort((a, b) => a - b)[(VISITS - 1) / 2]).toBeLessThan(SERVED_LIMIT_MS);
  }

  /** One visit of somebody honest with a real client. */
  async isHonestServed(from = HONEST_ADDRESS): Promise<boolean> {
    const said = await within(this.#visit(from), 'an honest user to be answered', 20_000).catch(() => '');
    return said === `honest ${honest.fingerprint}\n`;
  }

  /** The most that was waiting for a client that did not read, until the server let go of it. */
  async mostUnsentUntilGone(client: HostileClient, limitMs = 60_000): Promise<number> {
    let most = 0;
    const watch = () => {
      most = Math.max(most, this.unsentBytes(client));
      return this.isGone(client);
    };
    await until(watch, 'the connection is cut', undefined, limitMs);
    return most;
  }

  /** What the server has accepted for this client and its kernel has not. */
  unsentBytes(client: HostileClient): number {
    return this.serverSide(client).writableLength;
  }

  /** The server's end of a client's connection. */
  serverSide({ localPort }: HostileClient): Socket {
    const found = this.#sockets.find((socket) => socket.remotePort === localPort);
    if (found === undefined) throw new Error('the server has not accepted this connection');
    return found;
  }

  /** Connections that the server has open, the honest user's among them. */
  get openConnections(): number {
    return this.#sockets.filter((socket) => !socket.closed).length;
  }

  /** The server has let go of a client, whether that client can know it or not. */
  isGone(client: HostileClient): boolean {
    return this.serverSide(client).closed;
  }

  /** Why the server ended the connection of a client that cannot or will not read it. */
  async reasonOf(client: HostileClient): Promise<string | undefined> {
    const { observer } = this.#ground;
    const opened = observer.ofType('connection-opened').find(({ port }) => port === client.localPort);
    const find = () => observer.ofType('connection-closed').find(({ connection }) => connection === opened?.connection);
    await until(() => find() !== undefined, 'the end of the connection is told');
    return find()?.reason;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#ground.close();
    unsubscribe('net.server.socket', this.#accepted);
  }

  async #kept(coming: Promise<HostileClient>): Promise<HostileClient> {
    const client = await coming;
    this.#clients.push(client);
    return client;
  }

  /** @returns what the server says. */
  #visit(localAddress: string): Promise<string> {
    const client = new ssh2.Client();
    const visit = new Promise<string>((resolve, reject) => {
      let said = '';
      client
        .on('error', reject)
        .on('close', () => resolve(said))
        .on('ready', () => {
          client.exec('who', (error, stream) => {
            if (error) {
              reject(error);
              return;
            }
            stream.on('data', (chunk: Buffer) => (said += chunk.toString())).on('close', () => client.end());
          });
        });
    });
    const { privateKey } = honest;
    client.connect({ host: '127.0.0.1', port: this.port, localAddress, username: 'git', privateKey });
    return visit.finally(() => client.destroy());
  }
}

/** The server ends the connection for this reason, and says so in words. */
export async function expectTurnedAway(client: HostileClient, reason: number, why: TurnedAway): Promise<void> {
  expect(await client.turnedAway()).toEqual({ reason, words: turnedAwayLine(why) });
}
