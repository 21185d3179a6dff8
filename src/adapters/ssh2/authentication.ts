import type { AuthContext, PublicKeyAuthContext } from 'ssh2';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import { isRefusal, type Refusal } from '../../domain/refusal.js';
import type { Proof } from '../../domain/proof.js';
import { signatureAlgorithms, type PublicKey } from '../../domain/public-key.js';
import type { Caller, Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Clock } from '../../ports/clock.js';
import { readKeyBlob, type KeyReading } from './public-keys.js';

const METHODS: ['publickey'] = ['publickey'];

export interface AuthenticationHost {
  /** Asks whose key it is. Throws when that can't be known. */
  identify(proof: Proof, connection: Connection): Promise<User | Refusal>;
  /** Whether this user may have one more connection; where not, it has been ended. */
  admit(caller: Caller): Promise<boolean>;
  /** More was tried than one connection may. */
  tooMany(what: 'too-many-failures' | 'too-many-offers'): void;
  /** A log-in failed, for this closed set of reasons; a mere offer of an unknown key is none. */
  failed(connection: Connection, reason: LoginFailure, fingerprint?: string): void;
  /** It could not be known whose key this is: the connection must end, and not as a denial. */
  faulted(error: unknown): void;
}

/** `no-login` is for a connection at its end, and not for one try. */
export type LoginFailure = 'unknown-key' | 'bad-signature' | 'bad-key' | 'wrong-login' | 'wrong-method' | 'no-login';

/** What was tried over one connection so far. */
export interface Attempts {
  readonly failures: number;
  /** Whether a key was offered, or anything else tried. */
  readonly hasTried: boolean;
  /** The last key that was offered, and is not registered. */
  readonly unknownKey?: string;
  /** Whether a registered key was proven, whatever became of it. */
  readonly isProven: boolean;
}

export interface AuthenticationOptions {
  readonly clock: Clock;
  /** As they are when they are asked for: they may become fewer. */
  readonly limits: () => Pick<AdmissionLimits, 'failedTries' | 'offers' | 'failureDelayMs'>;
  /** The one SSH login name that is let in, where one is enforced. */
  readonly enforcedLogin?: string;
}

/**
 * Log-in by public key (RFC 4252 7), over the requests of one connection.
 *
 * ssh2 verifies no signature: `accept()` on a signed request *is* the log-in. An offer (unsigned) is answered from a
 * look-up and leaves no trace but that look-up; the caller is made from the very request whose signature verified,
 * whatever was offered before.
 */
export class Authentication {
  readonly #host: AuthenticationHost;
  readonly #clock: Clock;
  readonly #limits: AuthenticationOptions['limits'];
  readonly #enforcedLogin: string | undefined;
  readonly #gone: AbortSignal;
  /** Answers by blob, so that the proof that follows an offer asks nothing twice. */
  readonly #lookups = new Map<string, Promise<User | Refusal>>();
  #caller: Caller | undefined;
  #hasAskedForMethods = false;
  #offers = 0;
  #failures = 0;
  #unknownKey: string | undefined;
  #isProven = false;

  /** @param gone aborts when the client has left. */
  constructor(host: AuthenticationHost, options: AuthenticationOptions, gone: AbortSignal) {
    this.#host = host;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#enforcedLogin = options.enforcedLogin;
    this.#gone = gone;
  }

  /** Who logged in; undefined before. */
  get caller(): Caller | undefined {
    return this.#caller;
  }

  get attempts(): Attempts {
    const unknownKey = this.#unknownKey;
    return {
      failures: this.#failures,
      hasTried: this.#hasAskedForMethods || this.#offers > 0 || this.#failures > 0,
      isProven: this.#isProven,
      ...(unknownKey === undefined ? {} : { unknownKey }),
    };
  }

  /** Answers one authentication request. Never rejects. */
  async handle(context: AuthContext, connection: Connection): Promise<void> {
    try {
      await this.#answer(context, connection);
    } catch (error) {
      if (this.#gone.aborted) return;
      this.#host.faulted(error);
    }
  }

  async #answer(context: AuthContext, connection: Connection): Promise<void> {
    const enforcedLogin = this.#enforcedLogin;
    if (context.method === 'none') this.#answerNone(context);
    else if (context.method !== 'publickey') await this.#refuse(context, connection, 'wrong-method');
    else if (enforcedLogin !== undefined && context.username !== enforcedLogin) {
      await this.#refuse(context, connection, 'wrong-login');
    } else if (context.signature === undefined) await this.#answerOffer(context, connection);
    else await this.#answerProof(context, connection);
  }

  /** How a client asks for the methods there are (RFC 4252 5.2): once for nothing. */
  #answerNone(context: AuthContext): void {
    if (this.#hasAskedForMethods && !this.#mayOffer()) return;
    this.#hasAskedForMethods = true;
    context.reject(METHODS);
  }

  #mayOffer(): boolean {
    this.#offers += 1;
    if (this.#offers <= this.#limits().offers) return true;
    this.#host.tooMany('too-many-offers');
    return false;
  }

  async #answerOffer(context: PublicKeyAuthContext, connection: Connection): Promise<void> {
    if (!this.#mayOffer()) return;
    const reading = readRequestedKey(context);
    if ('problem' in reading) {
      context.reject(METHODS);
      return;
    }
    const answer = await this.#identify(reading.key, connection);
    if (isRefusal(answer)) {
      this.#unknownKey = reading.key.sha256;
      context.reject(METHODS);
      return;
    }
    // ssh2 answers `ssh-rsa` where rsa-sha2-* was asked for, and Go's x/crypto gives up on that.
    context.key.algo = requestedAlgorithm(context);
    context.accept();
  }

  async #answerProof(context: PublicKeyAuthContext, connection: Connection): Promise<void> {
    const reading = readRequestedKey(context);
    if ('problem' in reading) {
      await this.#refuse(context, connection, 'bad-key');
      return;
    }
    const { key } = reading;
    if (!isProven(context, reading)) {
      await this.#refuse(context, connection, 'bad-signature', key.sha256);
      return;
    }
    const user = await this.#identify(key, connection);
    if (isRefusal(user)) {
      await this.#refuse(context, connection, 'unknown-key', key.sha256);
      return;
    }
    this.#isProven = true;
    const caller: Caller = { connection, user, key };
    if (!(await this.#host.admit(caller))) return;
    this.#caller = caller;
    context.accept();
  }

  /** Answered no sooner than the limits say, so that guessing takes time; the next request waits its turn meanwhile. */
  async #refuse(
    context: AuthContext,
    connection: Connection,
    reason: LoginFailure,
    fingerprint?: string,
  ): Promise<void> {
    this.#host.failed(connection, reason, fingerprint);
    this.#failures += 1;
    await this.#clock.sleep(this.#limits().failureDelayMs, this.#gone);
    if (this.#failures >= this.#limits().failedTries) this.#host.tooMany('too-many-failures');
    else context.reject(METHODS);
  }

  #identify(key: PublicKey, connection: Connection): Promise<User | Refusal> {
    const known = this.#lookups.get(key.sha256);
    if (known !== undefined) return known;
    const asked = this.#host.identify({ key }, connection);
    this.#lookups.set(key.sha256, asked);
    return asked;
  }
}

/** The signature name that the client asked for; ssh2 splits rsa-sha2-* into a key type and a hash. */
function requestedAlgorithm(context: PublicKeyAuthContext): string {
  if (context.key.algo !== 'ssh-rsa') return context.key.algo;
  if (context.hashAlgo === 'sha256') return 'rsa-sha2-256';
  if (context.hashAlgo === 'sha512') return 'rsa-sha2-512';
  return 'ssh-rsa';
}

/** The key, if its blob is of the type the request names and the signature name is one of that type's own. */
function readRequestedKey(context: PublicKeyAuthContext): KeyReading {
  // ssh2 hands on an offer that ends before its blob.
  const blob: Buffer | undefined = context.key.data;
  if (blob === undefined) return { problem: 'the request ends before the key' };
  const reading = readKeyBlob(blob);
  if ('problem' in reading) return reading;
  const { algorithm } = reading.key;
  if (!signatureAlgorithms(algorithm).includes(requestedAlgorithm(context))) {
    return { problem: 'the signature algorithm is not one of this key type' };
  }
  return reading;
}

/** `verify` answers true, false or an Error: only true is a proof. */
function isProven(context: PublicKeyAuthContext, reading: Extract<KeyReading, { key: PublicKey }>): boolean {
  const { signature, blob, hashAlgo } = context;
  if (signature === undefined || blob === undefined || signature.length === 0) return false;
  const verdict: unknown = reading.verifier.verify(blob, signature, hashAlgo);
  return verdict === true;
}
