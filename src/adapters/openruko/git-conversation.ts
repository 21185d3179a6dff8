import { createHash } from 'node:crypto';
import type { GitService } from '../../domain/git-request.js';

/** How a command without an exit status came out. */
export type Ending =
  /** Git said all that it says when it has done its work. */
  | 'complete'
  /** Git said itself that it failed. */
  | 'failed'
  /** It stopped in the middle: whatever was done, nobody was told. */
  | 'cut';

type Packet = 'line' | 'band' | 'error' | 'flush';

const SHA1_BYTES = 20;

/**
 * Listens to git's protocol 0 (gitprotocol-pack(5)) as it passes, and changes nothing: a dyno host reports no exit
 * status and closes in the same way after a work that is done and after its own death.
 */
export class GitConversation {
  readonly #service: GitService;
  #heading = '';
  #bodyLeft = 0;
  #kindPending = false;
  #bodyStart = '';
  #last: Packet | undefined;
  #beforeFlush: Packet | undefined;
  #hasAdvertised = false;
  #packetsSince = 0;
  #isUnreadable = false;
  #pack: BarePack | undefined;
  #sent = '';

  constructor(service: GitService) {
    this.#service = service;
  }

  /** What the client wrote. */
  heard(chunk: Buffer): void {
    // Whether it asked for anything shows in five bytes.
    if (this.#sent.length < 5) this.#sent += chunk.toString('latin1', 0, 5 - this.#sent.length);
  }

  /** What the dyno wrote. */
  said(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isUnreadable;) {
      if (this.#pack !== undefined) {
        this.#pack.add(chunk.subarray(at));
        return;
      }
      at = this.#bodyLeft > 0 ? this.#readBody(chunk, at) : this.#readHeading(chunk, at);
    }
  }

  get ending(): Ending {
    if (this.#isUnreadable || this.#bodyLeft > 0 || this.#heading !== '') return 'cut';
    if (this.#last === 'error') return 'failed';
    if (this.#pack !== undefined) return this.#pack.isWhole ? 'complete' : 'cut';
    if (!this.#hasAdvertised || this.#last !== 'flush') return 'cut';
    if (this.#packetsSince === 0) return this.#wantedNothing ? 'complete' : 'cut';
    // A fetch's answer ends with its pack; other parts of it end with a flush packet too.
    return this.#service === 'git-receive-pack' || this.#beforeFlush === 'band' ? 'complete' : 'cut';
  }

  /** The client took note of what is there, and had nothing to send or to fetch. */
  get #wantedNothing(): boolean {
    return this.#sent === '' || this.#sent === '0000';
  }

  #readHeading(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + 4 - this.#heading.length);
    this.#heading += chunk.toString('latin1', at, end);
    if (this.#heading.length < 4) return end;
    const heading = this.#heading;
    this.#heading = '';
    if (heading === 'PACK' && this.#hasAdvertised) this.#pack = new BarePack(heading);
    else if (heading === '0000') this.#packet('flush');
    else this.#beginBody(heading);
    return end;
  }

  #beginBody(heading: string): void {
    const length = /^[0-9a-f]{4}$/i.test(heading) ? Number.parseInt(heading, 16) : 0;
    this.#isUnreadable = length <= 4;
    this.#bodyLeft = length - 4;
    this.#bodyStart = '';
    this.#kindPending = true;
  }

  #readBody(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#bodyLeft);
    this.#bodyLeft -= end - at;
    if (!this.#kindPending) return end;
    this.#bodyStart += chunk.toString('latin1', at, Math.min(end, at + 4 - this.#bodyStart.length));
    if (this.#bodyStart.length < 4 && this.#bodyLeft > 0) return end;
    this.#kindPending = false;
    this.#packet(kindOf(this.#bodyStart));
    return end;
  }

  #packet(kind: Packet): void {
    if (kind === 'flush') this.#beforeFlush = this.#last;
    if (this.#hasAdvertised) this.#packetsSince += 1;
    else if (kind === 'flush') this.#hasAdvertised = true;
    this.#last = kind;
  }
}

function kindOf(start: string): Packet {
  if (start === 'ERR ' || start.startsWith('\x03')) return 'error';
  return start.startsWith('\x01') || start.startsWith('\x02') ? 'band' : 'line';
}

/** A pack outside of any pkt-line, as clients get it who know no side band: it ends with the SHA-1 of itself. */
class BarePack {
  readonly #sum = createHash('sha1');
  #tail: Buffer = Buffer.alloc(0);

  constructor(start: string) {
    this.add(Buffer.from(start, 'latin1'));
  }

  add(chunk: Buffer): void {
    const all = Buffer.concat([this.#tail, chunk]);
    const end = Math.max(0, all.length - SHA1_BYTES);
    this.#sum.update(all.subarray(0, end));
    this.#tail = all.subarray(end);
  }

  get isWhole(): boolean {
    return this.#tail.equals(this.#sum.copy().digest());
  }
}
