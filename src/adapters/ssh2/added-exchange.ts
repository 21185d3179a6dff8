/**
 * A key exchange that ssh2 lacks, done by the one of its own that is nearest. Beside `internals.ts` the only file that
 * touches ssh2's private parts.
 *
 * ssh2 keeps the classes of its key exchanges to itself and takes no names but those it knows. So it is shown a KEXINIT
 * of the peer's in which `curve25519-sha256` stands for the added one, wherever that is what both sides agree on; the
 * exchange that it makes then is given the true KEXINIT back, which both sides hash, and told how to compute the rest.
 */
import { CURVE25519, type Agreement, type ExchangeParts, type Protocol } from './ssh2-parts.js';
import { MESSAGE } from './messages.js';

/** A way to a shared secret by one message from each side, as in RFC 5656 4, with SHA-256 for the exchange hash. */
export interface KeyExchangeMethod {
  /** What it is called in a KEXINIT. */
  readonly name: string;
  /**
   * The server's part. The secret goes into the exchange hash and the keys as a string, and not as the mpint of RFC 5656.
   * @throws Error for a message that makes no secret; the connection ends with "key exchange failed".
   */
  answer(init: Buffer): { readonly reply: Buffer; readonly secret: Buffer };
  /** The client's part. */
  begin(): {
    readonly init: Buffer;
    /** @returns the secret. @throws Error as `answer` does. */
    finish(reply: Buffer): Buffer;
  };
}

/** From the start of a KEXINIT to its first list: type and cookie (RFC 4253 7.1). */
const LISTS_AT = 17;

/** To be called before our KEXINIT goes out, which must offer the method by its name. */
export function addExchange(protocol: Protocol, method: KeyExchangeMethod): void {
  /** The peer's KEXINIT, where it leads to this method; ssh2 makes the exchange in the same breath. */
  let leading: Buffer | undefined;
  let exchange: ExchangeParts | undefined;

  const shown = (payload: Buffer): Buffer => {
    if (payload[0] !== MESSAGE.KEXINIT) return payload;
    const names = keyExchangesOf(payload);
    const ours = protocol._offer.lists.kex.array;
    const [first, second] = protocol._server ? [names, ours] : [ours, names];
    const agreed = first.find((name) => second.includes(name));
    leading = agreed === method.name ? payload : undefined;
    if (leading === undefined) return payload;
    // Of what both know this one is left alone; what the peer can do besides, such as strict key exchange, stands as well.
    return withKeyExchanges(payload, [CURVE25519, ...names.filter((name) => !ours.includes(name))]);
  };

  Object.defineProperty(protocol, '_kex', {
    get: () => exchange,
    set: (made: ExchangeParts) => {
      exchange = made;
      if (leading !== undefined) replaceSecret(made, method, protocol._server, leading);
      leading = undefined;
    },
  });

  // All exchanges but a connection's first begin with a message like any other.
  const onPayload = protocol._onPayload.bind(protocol);
  protocol._onPayload = (payload) => onPayload(shown(payload));

  const watchFirst = () => {
    const decipher = protocol._decipher;
    if (decipher === undefined) throw new Error('ssh2 reads packets before it has a reader of them');
    const onFirst = decipher._onPayload.bind(decipher);
    decipher._onPayload = (payload) => onFirst(shown(payload));
  };
  // A server is known from the peer's identification line on, a client before it.
  if (protocol._decipher !== undefined) watchFirst();
  else {
    const onHeader = protocol._onHeader;
    protocol._onHeader = (...args) => {
      watchFirst();
      onHeader(...args);
    };
  }
}

/** Only on this one exchange; the next one may be by another method. */
function replaceSecret(exchange: ExchangeParts, method: KeyExchangeMethod, isServer: boolean, theirs: Buffer): void {
  exchange.type = method.name;
  exchange.negotiated.kex = method.name;
  exchange._remoteKexinit = theirs;
  // What the peer sent is hashed as it is.
  exchange.convertPublicKey = (sent) => sent;
  const agreement = isServer ? answering(method) : asking(method);
  exchange.getPublicKey = agreement.send;
  exchange.computeSecret = (sent) => {
    try {
      return agreement.compute(sent);
    } catch (cause) {
      return new Error(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  };
}

/** ssh2's server computes the secret before it asks for what to send. */
function answering(method: KeyExchangeMethod): Agreement {
  let reply: Buffer = Buffer.alloc(0);
  return {
    send: () => reply,
    compute(init) {
      const answer = method.answer(init);
      reply = answer.reply;
      return answer.secret;
    },
  };
}

function asking(method: KeyExchangeMethod): Agreement {
  const attempt = method.begin();
  return { send: () => attempt.init, compute: (reply) => attempt.finish(reply) };
}

/** The names in a KEXINIT's first list; none where it is cut short, which ssh2 refuses. */
function keyExchangesOf(kexinit: Buffer): readonly string[] {
  const end = listEnd(kexinit);
  return end > kexinit.length ? [] : kexinit.toString('latin1', LISTS_AT + 4, end).split(',');
}

function withKeyExchanges(kexinit: Buffer, names: readonly string[]): Buffer {
  const list = Buffer.from(names.join(','), 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(list.length);
  return Buffer.concat([kexinit.subarray(0, LISTS_AT), length, list, kexinit.subarray(listEnd(kexinit))]);
}

function listEnd(kexinit: Buffer): number {
  return kexinit.length < LISTS_AT + 4 ? Infinity : LISTS_AT + 4 + kexinit.readUInt32BE(LISTS_AT);
}
