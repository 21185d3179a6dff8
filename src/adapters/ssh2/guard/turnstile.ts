/** A stranger's piece that took longer is followed by a rest as long as it took, in which the processor is everybody's. */
const CHEAP_MS = 1;

/**
 * Clients in turns: of what they send one piece (what one read of a socket gave) is handled in each turn of the event
 * loop, party after party.
 *
 * A key exchange costs a stranger nothing but a made-up number, and the server milliseconds in which it does nothing
 * else (CVE-2002-20001); a user's piece may hold a thousand requests. So many of them in one turn would hold up everybody;
 * like this they hold up each other, and somebody else waits for one piece of theirs at a time.
 */
export class Turnstile {
  readonly #hasRests: boolean;
  /** By party, in the order in which they have their turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isTaken = false;

  /** @param hasRests whether what took long is followed by a rest: for those who have no right to the processor yet. */
  constructor({ hasRests }: { readonly hasRests: boolean }) {
    this.#hasRests = hasRests;
  }

  /** Has a piece handled at once, if nobody's was in this turn. @returns whether it was. */
  passNow(handle: () => void): boolean {
    if (this.#isTaken) return false;
    this.#take(handle);
    return true;
  }

  /** Has a piece handled when its turn comes. */
  waitToPass(party: string, handle: () => void): void {
    const line = this.#waiting.get(party) ?? [];
    this.#waiting.set(party, line);
    line.push(handle);
  }

  #take(handle: () => void): void {
    this.#isTaken = true;
    // Processor time: on a busy machine a piece takes long that asks for little.
    const before = process.cpuUsage();
    try {
      handle();
    } finally {
      const { user, system } = process.cpuUsage(before);
      const tookMs = (user + system) / 1000;
      const next = () => {
        this.#next();
      };
      if (this.#hasRests && tookMs > CHEAP_MS) setTimeout(next, tookMs);
      else setImmediate(next);
    }
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#isTaken = false;
      return;
    }
    const [party, line] = first;
    this.#waiting.delete(party);
    const handle = line.shift();
    // Behind all others, for its next piece.
    if (line.length > 0) this.#waiting.set(party, line);
    if (handle !== undefined) this.#take(handle);
  }
}
