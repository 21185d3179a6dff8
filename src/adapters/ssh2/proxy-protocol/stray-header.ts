import { headerBegins } from './header.js';

/** Tells what an address sends that only a listed proxy may send from what is no SSH at all. */
export class StrayHeader {
  readonly #refuse: () => void;
  #held = Buffer.alloc(0);
  #isPast = false;

  /** @param refuse called once, when a header begins. */
  constructor(refuse: () => void) {
    this.#refuse = refuse;
  }

  /** @returns what may go on: nothing while it may become a header, then that and all that follows. */
  take(bytes: Buffer): Buffer | undefined {
    if (this.#isPast) return bytes;
    const all = Buffer.concat([this.#held, bytes]);
    switch (headerBegins(all)) {
      case 'maybe':
        this.#held = all;
        return undefined;
      case 'no':
        this.#isPast = true;
        return all;
      case 'v1':
      case 'v2':
        this.#refuse();
        return undefined;
    }
  }
}
