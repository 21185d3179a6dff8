import { Fault, type FaultCode, type Stage } from '../../domain/fault.js';
import { printable } from '../../domain/words/printable.js';

const CODES = ['GM_UNAVAILABLE', 'GM_BAD_ANSWER', 'GM_TIMEOUT'] as const satisfies readonly FaultCode[];

type TroubleCode = (typeof CODES)[number];

/** What went wrong with a peer, before anybody has said in which stage of a session. Its message holds no secret. */
export class Trouble extends Error {
  readonly code: TroubleCode;
  /** Whether the peer may have got what was sent: false where there never was a connection to it. */
  readonly mayHaveArrived: boolean;

  private constructor(code: TroubleCode, message: string, cause?: unknown, mayHaveArrived = true) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Trouble';
    this.code = code;
    this.mayHaveArrived = mayHaveArrived;
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
    // They come from making a connection alone.
    if (ours !== undefined) return new Trouble(ours, error instanceof Error ? error.message : code, undefined, false);
    return Trouble.#byCode(code, error).with({ mayHaveArrived: !isOfConnecting(error) });
  }

  static #byCode(code: string, error: unknown): Trouble {
    if (code === 'ETIMEDOUT') return Trouble.late(`it did not answer (${code})`);
    if (/^(?:ERR_SSL|EPROTO)/.test(code)) return Trouble.wrong(`TLS could not be agreed on (${code})`, error);
    if (code.startsWith('HPE_')) return Trouble.wrong(`it does not speak HTTP (${code})`, error);
    return Trouble.down(`it could not be reached, or hung up (${code})`, error);
  }

  with(more: { readonly message?: string; readonly mayHaveArrived?: boolean }): Trouble {
    const { message = this.message, mayHaveArrived = this.mayHaveArrived } = more;
    return new Trouble(this.code, message, this.cause, mayHaveArrived);
  }

  toFault(stage: Stage, whose: string): Fault {
    return new Fault(this.code, stage, `${whose}: ${this.message}`, { cause: this.cause });
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether it failed before there was a connection: node-fetch and Node name the system call, each by a field of its own. */
function isOfConnecting(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const call: unknown = 'erroredSysCall' in error ? error.erroredSysCall : 'syscall' in error ? error.syscall : '';
  return call === 'connect' || call === 'getaddrinfo';
}

/** What a peer said, for a log: short, printable, and without the secrets that it may echo. */
export function quoted(text: string, secrets: readonly string[]): string {
  const safe = secrets
    .flatMap((secret) => [secret, Buffer.from(`:${secret}`).toString('base64')])
    .filter((secret) => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  return `"${printable(safe, 200)}"`;
}
