import { Fault, type FaultCode, type Stage } from '../../domain/fault.js';
import { printable } from '../../domain/words/printable.js';

const CODES = ['GM_UNAVAILABLE', 'GM_BAD_ANSWER', 'GM_TIMEOUT'] as const satisfies readonly FaultCode[];

type TroubleCode = (typeof CODES)[number];

/** What went wrong with a peer, before anybody has said in which stage of a session. Its message holds no secret. */
export class Trouble extends Error {
  readonly code: TroubleCode;

  private constructor(code: TroubleCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Trouble';
    this.code = code;
  }

  /** It can't be reached, or says so itself: another time it may work. */
  static down(message: string, cause?: unknown): Trouble {
    return new Trouble('GM_UNAVAILABLE', message, cause);
  }

  /** It answers what it must not, or is not the one it was to be: asking again would change nothing. */
  static wrong(message: string, cause?: unknown): Trouble {
    return new Trouble('GM_BAD_ANSWER', message, cause);
  }

  static late(message: string): Trouble {
    return new Trouble('GM_TIMEOUT', message);
  }

  /** By the code that Node set. */
  static of(error: unknown): Trouble {
    if (error instanceof Trouble) return error;
    const code = codeOf(error) ?? 'no code';
    // One of ours that came through a library, which kept its code and put it into words.
    const ours = CODES.find((known) => known === code);
    if (ours !== undefined) return new Trouble(ours, error instanceof Error ? error.message : code);
    if (code === 'ETIMEDOUT') return Trouble.late(`it did not answer (${code})`);
    if (/^(?:ERR_SSL|EPROTO)/.test(code)) return Trouble.wrong(`TLS could not be agreed on (${code})`, error);
    if (code.startsWith('HPE_')) return Trouble.wrong(`it does not speak HTTP (${code})`, error);
    return Trouble.down(`it could not be reached, or hung up (${code})`, error);
  }

  toFault(stage: Stage, whose: string): Fault {
    return new Fault(this.code, stage, `${whose}: ${this.message}`, { cause: this.cause });
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What a peer said, for a log: short, printable, and without the secrets that it may echo. */
export function quoted(text: string, secrets: readonly string[]): string {
  const safe = secrets
    .flatMap((secret) => [secret, Buffer.from(`:${secret}`).toString('base64')])
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  return `"${printable(safe, 200)}"`;
}
