import { Fields, stringField, Unreadable } from './user-keys/fields.js';

/** A log-in request by public key (RFC 4252 7), in the names that ssh2's context of it has. */
export interface KeyRequest {
  /** As it was asked by. */
  readonly keyAlgo: string;
  /** Undefined where the request is damaged. */
  readonly key: Buffer | undefined;
  /** Whole, with its own name; an offer has none. */
  readonly signature?: Buffer;
  /** What is signed. */
  readonly blob?: Buffer;
}

const NOTHING = Buffer.alloc(0);

/**
 * ssh2's own reading takes a signature apart by the name beside it, and knows neither security keys nor certificates.
 * @param payload of a message that ssh2 takes for such a request.
 */
export function readKeyRequest(payload: Buffer, sessionId: Buffer): KeyRequest {
  const fields = new Fields(payload, 'this log-in request is damaged');
  let isProof = false;
  try {
    fields.byte();
    fields.string(); // The login name, the service and the method, which ssh2 has read.
    fields.string();
    fields.string();
    isProof = fields.boolean();
    const keyAlgo = fields.string().toString('latin1');
    const key = Buffer.from(fields.string());
    const signed = fields.since(0);
    const signature = isProof ? Buffer.from(fields.string()) : undefined;
    fields.end();
    if (signature === undefined) return { keyAlgo, key };
    return { keyAlgo, key, signature, blob: Buffer.concat([stringField(sessionId), signed]) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { keyAlgo: '', key: undefined, ...(isProof ? { signature: NOTHING, blob: NOTHING } : {}) };
  }
}
