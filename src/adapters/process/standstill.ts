import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess, type ProcessEntry } from './process-table.js';

/**
 * So many looks in a row must find nobody who runs. One is not enough: a process that is born while it is looked is not
 * seen, and its parent may be found stopped just after.
 */
const QUIET_LOOKS = 3;
const FIRST_WAIT_MS = 1;

/** How much is spent on a dyno that never comes to rest: each look reads all of /proc. */
export interface Pace {
  /** Looks in a round. */
  readonly looks: number;
  /** Between two looks, at most; the first waits are shorter. */
  readonly longestWaitMs: number;
  /** After a round in vain, at least. */
  readonly betweenRoundsMs: number;
}

const PACE: Pace = { looks: 100, longestWaitMs: 50, betweenRoundsMs: 10_000 };

/**
 * Stops every process of a job, and has them go on.
 *
 * One signal to each is not enough: a process may make another between the look and the signal. So it is looked again
 * until nobody runs: who is stopped makes no more.
 */
export class Standstill {
  readonly #members: () => readonly ProcessEntry[];
  readonly #pace: Pace;
  #isWanted = false;
  #round = 0;
  /** When another round may begin, by `performance.now()`: never while one runs, and after all came to rest. */
  #nextRoundAt = Infinity;

  /**
   * @param members those who are to be stopped, as they are at this moment; the dead may be among them. Throws when they
   *   can't be looked up, as the descriptors have run out: then it is looked again.
   */
  constructor(members: () => readonly ProcessEntry[], pace = PACE) {
    this.#members = members;
    this.#pace = pace;
  }

  /** Called again, it tries once more with those who did not come to rest. */
  begin(): void {
    if (this.#isWanted && performance.now() < this.#nextRoundAt) return;
    this.#isWanted = true;
    this.#nextRoundAt = Infinity;
    void this.#stopAll(++this.#round);
  }

  /** Nobody stays stopped, also of those who were before: stopping is not for the dyno to say. */
  end(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    void this.#wakeAll(++this.#round);
  }

  async #stopAll(round: number): Promise<void> {
    let quiet = 0;
    let waitMs = FIRST_WAIT_MS;
    for (let look = 0; look < this.#pace.looks && round === this.#round; look++) {
      quiet = this.#stopWhoMoves() ? quiet + 1 : 0;
      if (quiet >= QUIET_LOOKS) return;
      await sleep(waitMs);
      waitMs = Math.min(waitMs * 2, this.#pace.longestWaitMs);
    }
    if (round === this.#round) this.#nextRoundAt = performance.now() + this.#pace.betweenRoundsMs;
  }

  /** Whether nobody ran. Out of descriptors that can't be told. */
  #stopWhoMoves(): boolean {
    try {
      const moving = this.#members().filter(({ state }) => !STILL.includes(state));
      for (const member of moving) signalProcess(member, 'STOP');
      return moving.every(({ state }) => state === WAITING);
    } catch {
      return false;
    }
  }

  /** At once; out of descriptors, again until they could be looked up. */
  async #wakeAll(round: number): Promise<void> {
    for (let waitMs = FIRST_WAIT_MS; round === this.#round; waitMs = Math.min(waitMs * 2, this.#pace.longestWaitMs)) {
      try {
        for (const member of this.#members()) signalProcess(member, 'CONT');
        return;
      } catch {
        await sleep(waitMs);
      }
    }
  }
}

/** Stopped, stopped by a tracer, or dead (proc(5)). */
const STILL = 'TtZXx';
/**
 * In the kernel, where it takes no processor time, and stops when it comes out: for a disk, or for a child it has made
 * by vfork(2), which was stopped before it could become another program.
 */
const WAITING = 'D';
