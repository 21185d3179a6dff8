import { Fault } from '../../domain/fault.js';
import { MESSAGE } from '../ssh2/messages.js';
import { PACKET_BYTES } from './channel-messages.js';
import type { PayloadReader } from './payload.js';

/** Smaller packets are an attack: every byte would become one, and at 0 none ever gets anywhere. */
const SMALLEST_PACKET_BYTES = 256;

/** Makes what a dyno says fit for a log, without the secrets that it may echo. */
export type Quote = (text: string) => string;

/** The dyno's side of the channel, as it confirmed it. */
export interface Peer {
  readonly channel: number;
  readonly windowBytes: number;
  readonly packetBytes: number;
}

/** A channel that was asked for. */
export class Opening {
  /** @throws Fault (stage `connect`) when the dyno opens none. Never settles when the connection is lost. */
  readonly peer: Promise<Peer>;
  #resolve: (peer: Peer) => void = () => undefined;
  #reject: (fault: Fault) => void = () => undefined;

  readonly #quote: Quote;

  constructor(quote: Quote) {
    this.#quote = quote;
    this.peer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** @returns the peer, when there is one now; or what is wrong with it. */
  answer(type: number, fields: PayloadReader): Peer | 'tiny-packets' | 'refused' {
    if (type === MESSAGE.CHANNEL_OPEN_FAILURE) {
      fields.uint32();
      const words = this.#quote(fields.text());
      this.#reject(new Fault('GM_DYNO_START', 'connect', `the dyno opens no session: ${words}`));
      return 'refused';
    }
    const [channel, windowBytes, largest] = [fields.uint32(), fields.uint32(), fields.uint32()];
    if (largest < SMALLEST_PACKET_BYTES) return 'tiny-packets';
    const peer = { channel, windowBytes, packetBytes: Math.min(largest, PACKET_BYTES) };
    this.#resolve(peer);
    return peer;
  }
}
