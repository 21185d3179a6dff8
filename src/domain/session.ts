import type { Certificate } from './certificate.js';
import type { GitRequest } from './git-request.js';
import type { Negotiated } from './negotiated.js';
import type { PublicKey } from './public-key.js';
import type { User } from './user.js';

/** One SSH connection, as far as rules and logs need to know it. */
export interface Connection {
  readonly id: string;
  /** The client's address, without its port: the unit that limits are counted by. */
  readonly address: string;
  readonly port: number;
  /** What the client's identification line calls it (RFC 4253 4.2), as sent: print it only through `printable`. */
  readonly software: string;
  /** The SSH login name, as sent: print it only through `printable`. */
  readonly login: string;
  /** What its first key exchange agreed on; a later one changes the keys and, if the client likes, the rest. */
  readonly negotiated?: Negotiated;
}

/** A user on a connection, proven to hold a key. */
export interface Caller {
  readonly connection: Connection;
  readonly user: User;
  readonly key: PublicKey;
  /** The certificate by which the key is this user's, where one was shown. */
  readonly certificate?: Certificate;
}

/** One git request being served. */
export interface Session {
  readonly id: string;
  readonly caller: Caller;
  readonly request: GitRequest;
}
