import type { Certificate } from './certificate.js';
import type { PublicKey } from './public-key.js';

/** What a client offers or has proven to hold: a key, and the certificate of it where one was shown. */
export interface Proof {
  /** With a certificate, the key that it certifies. */
  readonly key: PublicKey;
  readonly certificate?: Certificate;
}
