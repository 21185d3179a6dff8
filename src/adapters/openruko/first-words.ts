/** What a dyno host may say first: git's advertisement, or that there will be none. */
import { quoted } from '../remote/trouble.js';

/** The longest of the host's own first words. */
const NO_DYNO = 'Dyno does not exist.';
/** `E: \n ! Problem provisioning build server` */
const NOT_PROVISIONED = 'E:';

/** Of the first words that are not git's, so much is looked at. */
const MOST_FIRST_BYTES = 4096;

/**
 * Judges the first bytes of a connection, and no others: the same letters may come anywhere in a pack.
 *
 * None of the host's words begins like a pkt-line (gitprotocol-common(5)), so four bytes tell git's from all others.
 * @returns `git`, `more` when it can't be told yet, or why the dyno can't be used.
 */
export function firstWords(bytes: Buffer, hasEnded: boolean, secret: string): 'git' | 'more' | Failure {
  if (isPacketStart(bytes)) return 'git';
  const text = bytes.toString('latin1');
  if (text.startsWith(NOT_PROVISIONED)) return { why: 'not-provisioned', words: quoted(text, [secret]) };
  if (text.startsWith(NO_DYNO)) return { why: 'no-dyno', words: quoted(text, [secret]) };
  if (hasEnded) return bytes.length === 0 ? { why: 'silent', words: '' } : nonsense(text, secret);
  return bytes.length < 4 || NO_DYNO.startsWith(text) ? 'more' : nonsense(text, secret);
}

export interface Failure {
  readonly why: 'not-provisioned' | 'no-dyno' | 'silent' | 'nonsense';
  readonly words: string;
}

function nonsense(text: string, secret: string): Failure {
  return { why: 'nonsense', words: quoted(text.slice(0, MOST_FIRST_BYTES), [secret]) };
}

/** The length of a pkt-line with its content, or the flush packet; git's protocol 0 knows no other special ones. */
function isPacketStart(bytes: Buffer): boolean {
  const digits = bytes.toString('latin1', 0, 4);
  return /^[0-9a-f]{4}$/i.test(digits) && (digits === '0000' || Number.parseInt(digits, 16) > 4);
}
