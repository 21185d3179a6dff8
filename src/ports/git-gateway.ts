import type { Proof } from '../domain/proof.js';
import type { Refusal } from '../domain/refusal.js';
import type { Caller, Connection } from '../domain/session.js';
import type { User } from '../domain/user.js';
import type { ClientChannel } from './client-channel.js';
import type { LiveConnection } from './live-connections.js';

/** The driving port: what a front end (the SSH server) asks of gitmouth. */
export interface GitGateway {
  /**
   * Whose key is this? For offers and for proven keys alike; the answer grants nothing by itself.
   * @throws Fault (stage `identify`).
   */
  identify(proof: Proof, connection: Connection, signal: AbortSignal): Promise<User | Refusal>;

  /**
   * A caller has proven their key. The returned registration lives until `remove` is called on it, at the latest when
   * the connection closes.
   */
  admit(caller: Caller): LiveConnection;

  /**
   * Serves one request over an admitted connection and finishes the channel, whatever happens; never rejects. Resolves when
   * everything the request held has been given back.
   */
  serve(live: LiveConnection, ask: Ask, channel: ClientChannel): Promise<void>;
}

/** What a client asked of one channel. */
export type Ask =
  /** `exec`, with the value of GIT_PROTOCOL if one was sent (checked inside). */
  | { readonly kind: 'command'; readonly command: string; readonly gitProtocol?: string }
  /** `shell`, or no command at all. */
  | { readonly kind: 'shell' };
