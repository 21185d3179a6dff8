/** A real SSH server on loopback over a gateway that a test tells what to do. */
import { randomBytes } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import {
  MemoryAuthenticator,
  MemoryObserver,
  MemoryPenalties,
  MemoryPlatform,
  MemoryRateLimiter,
  MemoryLiveConnections,
  MemoryThrottle,
} from '../../../src/adapters/memory/index.js';
import { loadOrCreateHostKeys, type HostKey } from '../../../src/adapters/ssh2/host-keys/files.js';
import { readablePrivateKey } from '../../../src/adapters/ssh2/key-file.js';
import { readKeyBlob } from '../../../src/adapters/ssh2/public-keys.js';
import { SshServer, type SshServerOptions } from '../../../src/adapters/ssh2/server.js';
import { SystemClock } from '../../../src/adapters/system/clock.js';
import { PenaltyBook } from '../../../src/app/penalty-book.js';
import type { Certificate } from '../../../src/domain/certificate.js';
import { DEFAULT_ADMISSION_LIMITS } from '../../../src/domain/admission-policy.js';
import { DEFAULT_PENALTY_RULES, type PenaltyRules } from '../../../src/domain/penalty-policy.js';
import type { Proof } from '../../../src/domain/proof.js';
import type { PublicKey } from '../../../src/domain/public-key.js';
import type { ProxyRules } from '../../../src/domain/proxy-rules.js';
import { isRefusal, type Refusal } from '../../../src/domain/refusal.js';
import type { Caller, Connection } from '../../../src/domain/session.js';
import type { User } from '../../../src/domain/user.js';
import type { ClientChannel } from '../../../src/ports/client-channel.js';
import type { Clock } from '../../../src/ports/clock.js';
import type { Ask, GitGateway } from '../../../src/ports/git-gateway.js';
import type { LiveConnection } from '../../../src/ports/live-connections.js';
import { temporaryFolder } from '../../support/temporary.js';

/** What one request looks like from behind the door. */
export interface Request {
  readonly caller: Caller;
  readonly ask: Ask;
  readonly channel: ClientChannel;
}

/** The memory platform behind a door, with every question to it on record. */
export class ScriptedGateway implements GitGateway {
  readonly platform = new MemoryPlatform();
  readonly authenticator = new MemoryAuthenticator(this.platform);
  readonly connections = new MemoryLiveConnections(this.platform);
  /** Fingerprints of the keys that were looked up, in order. */
  readonly lookups: string[] = [];
  /** Fingerprints of keys that must verify their user. */
  readonly verifying = new Set<string>();
  /** Whose a certificate is; nobody's by default. */
  certified: (certificate: Certificate) => User | Refusal = () => ({ kind: 'unknown-key' });
  readonly requests: Request[] = [];
  /** What is done with a request; by default it is told who is asking. */
  command: (request: Request) => Promise<void> = sayWho;

  async identify({ key, certificate }: Proof, connection: Connection, signal: AbortSignal): Promise<User | Refusal> {
    this.lookups.push(key.sha256);
    if (certificate !== undefined) return this.certified(certificate);
    const answer = await this.authenticator.identify(key, connection, signal);
    return isRefusal(answer) || !this.verifying.has(key.sha256) ? answer : { ...answer, needsVerification: true };
  }

  admit(caller: Caller): LiveConnection {
    return this.connections.add(caller);
  }

  async serve({ caller }: LiveConnection, ask: Ask, channel: ClientChannel): Promise<void> {
    const request = { caller, ask, channel };
    this.requests.push(request);
    await this.command(request);
  }
}

async function sayWho({ caller, channel }: Request): Promise<void> {
  channel.stdout.write(`${caller.user.name} ${caller.key.sha256}\n`);
  await channel.finish({ words: '', exit: { code: 0 } });
}

export interface Ground {
  readonly gateway: ScriptedGateway;
  readonly observer: MemoryObserver;
  readonly server: SshServer;
  readonly hostKeys: readonly HostKey[];
  readonly port: number;
  close(): Promise<void>;
}

/** Nothing stands in front of it. */
export const NO_PROXIES: ProxyRules = { from: [], headerMs: 5_000 };

let hostKeys: readonly HostKey[] | undefined;

/** A listening server. Its host keys are made once for all of a file. */
export async function openGround(options: Partial<SshServerOptions> = {}, host = '127.0.0.1'): Promise<Ground> {
  hostKeys ??= loadOrCreateHostKeys(temporaryFolder('host-keys'), 'modern');
  const gateway = new ScriptedGateway();
  const observer = new MemoryObserver();
  const server = new SshServer({
    gateway,
    observer,
    clock: new SystemClock(),
    throttle: new MemoryThrottle(),
    strangers: unwatched(observer),
    limits: DEFAULT_ADMISSION_LIMITS,
    proxies: NO_PROXIES,
    newConnectionId: () => randomBytes(4).toString('hex'),
    hostKeys,
    algorithms: 'modern',
    ...options,
  });
  const { port } = await server.listen(host, 0);
  const close = async () => {
    server.stopListening();
    server.cutConnections();
    await server.endConnections('over');
  };
  return { gateway, observer, server, hostKeys, port, close };
}

/** Nothing is held against anybody. */
export function unwatched(observer: MemoryObserver): PenaltyBook {
  return penaltyBook(observer, { isOn: false });
}

/** Over memory, and by the system's clock unless told otherwise. */
export function penaltyBook(
  observer: MemoryObserver,
  rules: Partial<PenaltyRules> = {},
  clock: Clock = new SystemClock(),
  penalties = new MemoryPenalties(clock),
): PenaltyBook {
  return new PenaltyBook({
    penalties,
    rateLimiter: new MemoryRateLimiter(),
    rules: () => ({ ...DEFAULT_PENALTY_RULES, ...rules }),
    observer,
    clock,
  });
}

/** A key pair as a client holds it. */
export interface Pair {
  readonly privateKey: string;
  readonly blob: Buffer;
  /** What the server makes of it; fails for a key that it does not take. */
  readonly publicKey: PublicKey;
  readonly fingerprint: string;
  sign(data: Buffer, hash?: string): Buffer;
}

export function makePair(type: 'ed25519' | 'rsa' = 'ed25519', bits = 2048): Pair {
  const make = () =>
    type === 'rsa' ? ssh2.utils.generateKeyPairSync('rsa', { bits }) : ssh2.utils.generateKeyPairSync(type);
  return pairOf(readablePrivateKey(make));
}

export function pairOf(privateKey: string): Pair {
  const parsed = ssh2.utils.parseKey(privateKey) as ParsedKey;
  const blob = parsed.getPublicSSH();
  return {
    privateKey,
    blob,
    get publicKey() {
      const reading = readKeyBlob(blob);
      if ('problem' in reading) throw new Error(reading.problem);
      return reading.key;
    },
    get fingerprint() {
      return this.publicKey.sha256;
    },
    sign: (data, hash) => parsed.sign(data, hash),
  };
}
