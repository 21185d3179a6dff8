import { createHash } from 'node:crypto';
import type { AuthContext, PublicKeyAuthContext } from 'ssh2';
import type { AdmissionLimits } from '../../domain/admission-policy.js';
import type { CertificateProblem } from '../../domain/certificate-policy.js';
import { isRefusal, type Refusal } from '../../domain/refusal.js';
import type { Proof } from '../../domain/proof.js';
import type { PublicKey } from '../../domain/public-key.js';
import type { Caller, Connection } from '../../domain/session.js';
import type { User } from '../../domain/user.js';
import type { Clock } from '../../ports/clock.js';
import type { Verdict } from './user-keys/signatures.js';
import { readUserKey, type UserKey, type UserKeyReading } from './user-keys/user-key.js';

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
  /** What was offered or proven is refused for another reason than that nobody has registered it. */
  refused(refusal: Refusal): void;
  /** It could not be known whose key this is: the connection must end, and not as a denial. */
  faulted(error: unknown): void;
}

/** `no-login` is for a connection at its end, and not for one try. */
export type LoginFailure =
  | 'unknown-key'
  | 'bad-signature'
  | 'bad-key'
  /** The key was proven and is registered, but had to verify its user and did not. */
  | 'user-not-verified'
  /** An operator has revoked the key. */
  | 'key-revoked'
  /** A trusted authority has signed the certificate, and it makes nobody its holder all the same. */
  | `certificate-${CertificateProblem['kind']}`
  | 'wrong-login'
  | 'wrong-method'
  | 'no-login';

/** What was tried over one connection so far. */
export interface Attempts {
  readonly failures: number;
  /** Whether a key was offered, or anything else tried. */
  readonly hasTried: boolean;
  /** What was offered last and refused; rather one that somebody here knows of. */
  readonly refusedOffer?: RefusedOffer;
  /** Whether a registered key was proven, whatever became of it. */
  readonly isProven: boolean;
}

export interface RefusedOffer {
  readonly fingerprint: string;
  readonly reason: LoginFailure;
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
  /** Answers by the hash of the key that was shown, so that the proof that follows an offer asks nothing twice. */
  readonly #lookups = new Map<string, Promise<User | Refusal>>();
  #caller: Caller | undefined;
  #hasAskedForMethods = false;
  #offers = 0;
  #failures = 0;
  #refusedOffer: RefusedOffer | undefined;
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
    const refusedOffer = this.#refusedOffer;
    return {
      failures: this.#failures,
      hasTried: this.#hasAskedForMethods || this.#offers > 0 || this.#failures > 0,
      isProven: this.#isProven,
      ...(refusedOffer === undefined ? {} : { refusedOffer }),
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
    const answer = await this.#identify(reading, connection);
    if (isRefusal(answer)) {
      this.#noteRefusedOffer(reading.key, answer);
      context.reject(METHODS);
      return;
    }
    context.accept();
  }

  async #answerProof(context: PublicKeyAuthContext, connection: Connection): Promise<void> {
    const reading = readRequestedKey(context);
    if ('problem' in reading) {
      await this.#refuse(context, connection, 'bad-key');
      return;
    }
    const { key, certificate } = reading;
    const verdict = verdictOn(context, reading);
    if (!verdict.isProven) {
      await this.#refuse(context, connection, 'bad-signature', key.sha256);
      return;
    }
    const user = await this.#identify(reading, connection);
    if (isRefusal(user)) {
      this.#host.refused(user);
      await this.#refuse(context, connection, failureOf(user), key.sha256);
      return;
    }
    this.#isProven = true;
    if (user.needsVerification === true && !verdict.isUserVerified) {
      await this.#refuse(context, connection, 'user-not-verified', key.sha256);
      return;
    }
    const caller: Caller = { connection, user, key, ...(certificate === undefined ? {} : { certificate }) };
    if (!(await this.#host.admit(caller))) return;
    this.#caller = caller;
    context.accept();
  }

  /** A client does not prove what was refused, so that this is all there is to learn why it could not log in. */
  #noteRefusedOffer({ sha256 }: PublicKey, refusal: Refusal): void {
    this.#host.refused(refusal);
    const reason = failureOf(refusal);
    // A client that shows a certificate offers the key alone next, and its other ones.
    const isNews = reason !== 'unknown-key' || (this.#refusedOffer?.reason ?? reason) === reason;
    if (isNews) this.#refusedOffer = { fingerprint: sha256, reason };
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

  #identify({ key, certificate, blob }: RequestedKey, connection: Connection): Promise<User | Refusal> {
    // Whom a certificate makes its holder is a question of time, and of the login name.
    if (certificate !== undefined) return this.#host.identify({ key, certificate }, connection);
    const shown = createHash('sha256').update(blob).digest('base64');
    const known = this.#lookups.get(shown);
    if (known !== undefined) return known;
    const asked = this.#host.identify({ key }, connection);
    this.#lookups.set(shown, asked);
    return asked;
  }
}

function failureOf(refusal: Refusal): LoginFailure {
  switch (refusal.kind) {
    case 'key-revoked':
      return 'key-revoked';
    case 'certificate':
      return `certificate-${refusal.problem.kind}`;
    default:
      return 'unknown-key';
  }
}

/** With the blob it was read from: a certificate's is not that of its key. */
interface RequestedKey extends UserKey {
  readonly blob: Buffer;
}

/** The key, if its blob is of the type the request names and the signature name is one of that type's own. */
function readRequestedKey(context: PublicKeyAuthContext): RequestedKey | Extract<UserKeyReading, { problem: string }> {
  // A request that is damaged has none.
  const blob: Buffer | undefined = context.key.data;
  if (blob === undefined) return { problem: 'the request is damaged' };
  const reading = readUserKey(blob);
  if ('problem' in reading) return reading;
  if (!reading.algorithms.includes(context.key.algo)) {
    return { problem: 'the signature algorithm is not one of this key type' };
  }
  return { ...reading, blob };
}

function verdictOn({ signature, blob, key }: PublicKeyAuthContext, reading: UserKey): Verdict {
  if (signature === undefined || blob === undefined) return { isProven: false };
  return reading.verify(blob, signature, key.algo);
}
