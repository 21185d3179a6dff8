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
  /** After the first round that did not bring it to rest; twice as long after each further one. */
  readonly firstRestMs: number;
  readonly longestRestMs: number;
}

const PACE: Pace = { looks: 100, longestWaitMs: 50, firstRestMs: 100, longestRestMs: 10_000 };

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
  #turn = 0;

  /**
   * @param members those who are to be stopped, as they are at this moment; the dead may be among them. Throws when they
   *   can't be looked up, as the descriptors have run out: then it is looked again.
   */
  constructor(members: () => readonly ProcessEntry[], pace = PACE) {
    this.#members = members;
    this.#pace = pace;
  }

  begin(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    void this.#stopAll(++this.#turn);
  }

  /** Nobody stays stopped, also of those who were before: stopping is not for the dyno to say. */
  end(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    void this.#wakeAll(++this.#turn);
  }

  async #stopAll(turn: number): Promise<void> {
    const { firstRestMs, longestRestMs } = this.#pace;
    for (let restMs = firstRestMs; turn === this.#turn; restMs = Math.min(restMs * 2, longestRestMs)) {
      if (await this.#comesToRest(turn)) return;
      await idle(restMs);
    }
  }

  /** A round of looks. Who waits in the kernel is quiet, but not at rest: it may yet come out with a child that runs. */
  async #comesToRest(turn: number): Promise<boolean> {
    const { looks, longestWaitMs } = this.#pace;
    let quiet = 0;
    let waitMs = FIRST_WAIT_MS;
    for (let look = 0; look < looks && turn === this.#turn; look++) {
      const found = this.#stopWhoMoves();
      quiet = found === 'running' ? 0 : quiet + 1;
      if (quiet >= QUIET_LOOKS) return found === 'still';
      await idle(waitMs);
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
    return false;
  }

  /** Out of descriptors nobody can be told to be still. */
  #stopWhoMoves(): 'running' | 'waiting' | 'still' {
    try {
      const moving = this.#members().filter(({ state }) => !STILL.includes(state));
      for (const member of moving) signalProcess(member, 'STOP');
      if (moving.length === 0) return 'still';
      return moving.every(({ state }) => state === WAITING) ? 'waiting' : 'running';
    } catch {
      return 'running';
    }
  }

  /** At once; out of descriptors, again until they could be looked up. */
  async #wakeAll(turn: number): Promise<void> {
    for (let waitMs = FIRST_WAIT_MS; turn === this.#turn; waitMs = Math.min(waitMs * 2, this.#pace.longestWaitMs)) {
      try {
        for (const member of this.#members()) signalProcess(member, 'CONT');
        return;
      } catch {
        await idle(waitMs);
      }
    }
  }
}

/** Keeps no program alive. */
const idle = (ms: number) => sleep(ms, undefined, { ref: false });

/** Stopped, stopped by a tracer, or dead (proc(5)). */
const STILL = 'TtZXx';
/**
 * In the kernel, where it takes no processor time, and stops when it comes out: for a disk, for the memory of a child it
 * is making, or for one made by vfork(2), which was stopped before it could become another program.
 */
const WAITING = 'D';
