import type { Counted } from '../../domain/admission-policy.js';
import type { Place, Throttle } from '../../ports/throttle.js';

/** Counts within this process. */
export class MemoryThrottle implements Throttle {
  /** @param taken only what is above zero, so that a stranger's passing leaves nothing behind; handles may share it. */
  constructor(private readonly taken: Map<string, number> = new Map()) {}

  enter(counted: Counted, key: string, limit: number): Promise<Place | undefined> {
    const name = `${counted} ${key}`;
    const taken = this.taken.get(name) ?? 0;
    if (taken >= limit) return Promise.resolve(undefined);
    this.taken.set(name, taken + 1);
    let isHeld = true;
    const leave = (): Promise<void> => {
      if (isHeld) this.#giveBack(name);
      isHeld = false;
      return Promise.resolve();
    };
    return Promise.resolve({ leave });
  }

  count(counted: Counted, key: string): Promise<number> {
    return Promise.resolve(this.taken.get(`${counted} ${key}`) ?? 0);
  }

  #giveBack(name: string): void {
    const taken = this.taken.get(name) ?? 0;
    if (taken > 1) this.taken.set(name, taken - 1);
    else this.taken.delete(name);
  }
}
