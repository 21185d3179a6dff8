/** What is told of one connection to whoever observes. */
import { inspect } from 'node:util';
import { isFault } from '../../domain/fault.js';
import type { Certificate } from '../../domain/certificate.js';
import type { CertificateFacts } from '../../domain/events.js';
import type { Caller, Connection } from '../../domain/session.js';
import type { Observer } from '../../ports/observer.js';
import type { AlgorithmSet } from '../../domain/algorithm-set.js';
import type { LoginFailure } from './authentication.js';

export class ConnectionLog {
  readonly #observer: Observer;
  readonly #id: string;

  constructor(observer: Observer, id: string) {
    this.#observer = observer;
    this.#id = id;
  }

  loggedIn({ connection, user, key, certificate }: Caller): void {
    this.#observer.record({
      type: 'login-succeeded',
      connection: connection.id,
      address: connection.address,
      user: user.name,
      fingerprint: key.sha256,
      ...(certificate === undefined ? {} : { certificate: certificateFacts(certificate) }),
      software: connection.software,
      login: connection.login,
      ...(connection.negotiated === undefined ? {} : { keyExchange: connection.negotiated.keyExchange }),
    });
  }

  loginFailed({ id, address, login, software }: Connection, reason: LoginFailure, fingerprint?: string): void {
    this.#observer.record({
      type: 'login-failed',
      connection: id,
      address,
      login,
      software,
      reason,
      ...(fingerprint === undefined ? {} : { fingerprint }),
    });
  }

  /** It could not be known whose key it is. */
  faulted(error: unknown): void {
    if (!isFault(error)) {
      this.problem('log-in failed by a bug', error);
      return;
    }
    const { code, stage, message, cause } = error;
    const why = cause === undefined ? {} : { cause: cause instanceof Error ? cause.message : inspect(cause) };
    this.#observer.record({ type: 'fault', fault: { code, stage, message, ...why }, connection: this.#id });
  }

  /** ssh2 gave the connection up. Most of what it says of that is of no use to anybody; this an operator can mend. */
  brokenOff(error: Error, { id, address, software }: Connection, algorithms: AlgorithmSet): void {
    // ssh2 tells of it in words alone: `Handshake failed: no matching C->S MAC`.
    const lacking = /^Handshake failed: no matching (?:C->S |S->C )?(.+)$/.exec(error.message)?.[1];
    if (lacking === undefined) return;
    this.#observer.record({ type: 'no-common-algorithm', connection: id, address, software, lacking, algorithms });
  }

  problem(message: string, error: unknown): void {
    this.#observer.record({ type: 'problem', message, error, connection: this.#id });
  }
}

function certificateFacts({ keyId, serial, authority, validBefore }: Certificate): CertificateFacts {
  return {
    keyId,
    serial: serial.toString(),
    authority: authority.sha256,
    ...(Number.isFinite(validBefore) ? { validBefore } : {}),
  };
}
