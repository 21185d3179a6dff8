/** TLS towards a platform: its API server, and dyno hosts that speak it. */
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Trouble } from './trouble.js';

/** What makes a peer the right one. Without any of it: a certificate of the system's authorities, for its host name. */
export interface TlsTrust {
  /** Authorities to trust in place of the system's, as PEM text. */
  readonly ca?: string;
  /**
   * SHA-256 of the one certificate to trust, as hex digits with or without colons. It stands in for name, dates and
   * authority, which a self-signed certificate proves nothing by; beside `ca` both must hold.
   */
  readonly pinnedSha256?: string;
  /** The name the certificate must be for, where it is not the host's. */
  readonly serverName?: string;
  readonly minVersion: TlsVersion;
  /** False trusts whoever answers: with it anybody on the way can read the keys. */
  readonly verify: boolean;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly trust: TlsTrust;
  readonly connectMs: number;
}

/**
 * Connects, and resolves only when the peer has been found to be the right one: nothing, and so no key, has been sent
 * before that.
 *
 * @throws Trouble, or the signal's reason when it aborts first; no socket is left then.
 */
export function connectTls(peer: Peer, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect(optionsOf(peer));
    const giveUp = () => fail(signal.reason);
    const timer = setTimeout(
      () => fail(Trouble.late(`${peer.connectMs} ms went by without a connection`)),
      peer.connectMs,
    );
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    };
    const fail = (reason: unknown) => {
      settle();
      socket.destroy();
      reject(reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    // Stays for the life of the socket: an error without a listener would end the process. Its owner hears of the
    // close that follows each.
    socket.on('error', (error: Error) => fail(troubleOf(error, socket)));
    socket.once('close', () => fail(Trouble.down('the connection was closed before TLS was agreed on')));
    socket.once('secureConnect', () => {
      const problem = pinProblem(socket, peer.trust);
      if (problem !== undefined) {
        fail(Trouble.wrong(problem));
        return;
      }
      settle();
      resolve(socket);
    });
  });
}

function optionsOf({ host, port, trust }: Peer): ConnectionOptions {
  const name = trust.serverName ?? host;
  return {
    host,
    port,
    minVersion: trust.minVersion,
    rejectUnauthorized: trust.verify && (trust.pinnedSha256 === undefined || trust.ca !== undefined),
    checkServerIdentity: (_host, certificate) =>
      trust.pinnedSha256 === undefined ? checkServerIdentity(name, certificate) : undefined,
    // An address is no server name (RFC 6066 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(trust.ca === undefined ? {} : { ca: trust.ca }),
    // OpenSSL 3 speaks TLS older than 1.2 only at its lowest security level.
    ...(trust.minVersion === 'TLSv1' || trust.minVersion === 'TLSv1.1' ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  };
}

function pinProblem(socket: TLSSocket, { pinnedSha256, verify }: TlsTrust): string | undefined {
  if (!verify || pinnedSha256 === undefined) return undefined;
  const presented = socket.getPeerX509Certificate()?.fingerprint256 ?? 'none';
  if (digits(presented) === digits(pinnedSha256)) return undefined;
  return `the certificate with the SHA-256 ${presented} is not the pinned one`;
}

function digits(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

function troubleOf(error: Error, socket: TLSSocket): Trouble {
  // Set by Node, whatever its types say, before it ends a connection for its certificate.
  const unauthorized: unknown = socket.authorizationError;
  if (unauthorized !== undefined && unauthorized !== null)
    return Trouble.wrong(`the certificate can't be trusted (${error.message})`, error);
  return Trouble.of(error);
}
