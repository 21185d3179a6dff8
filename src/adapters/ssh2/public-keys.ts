import type { PublicKey } from '../../domain/public-key.js';
import { isCertificate, readPublicKey } from './user-keys/user-key.js';

/** What people hand in instead of a `.pub` line, and what to do then. */
const OTHER_FORMATS = [
  { mark: 'PRIVATE KEY', advice: 'this is a private key: give the file that ends in .pub' },
  { mark: 'PuTTY-User-Key-File', advice: "this is PuTTY's private key: copy its public key from PuTTYgen's window" },
  { mark: 'SSH2 PUBLIC KEY', advice: 'this is a public key in another format: convert it with ssh-keygen -i -f FILE' },
];

/** A key that can be used here, or why it can't be used. */
export type KeyReading = { readonly key: PublicKey } | { readonly problem: string };

/** Reads a key in SSH wire format. The type is the one inside the blob, never a label beside it. */
export function readKeyBlob(blob: Buffer): KeyReading {
  if (isCertificate(blob))
    return { problem: "this is a certificate: give its key's own file, without -cert in the name" };
  const reading = readPublicKey(blob);
  return 'problem' in reading ? reading : { key: reading.key };
}

/** Reads one line of a `.pub` file or of an agent's list: `<type> <base64> [comment]`. Options are not accepted. */
export function readKeyLine(line: string): KeyReading & { readonly comment?: string } {
  const otherFormat = OTHER_FORMATS.find(({ mark }) => line.includes(mark));
  if (otherFormat !== undefined) return { problem: otherFormat.advice };
  const match = /^(\S+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/.exec(line.trim());
  if (match === null) return { problem: "this is not a public key in OpenSSH's format: <type> <base64> [comment]" };
  const reading = readKeyBlob(Buffer.from(match[2] ?? '', 'base64'));
  return match[3] === undefined ? reading : { ...reading, comment: match[3] };
}
