import type { DynoExit } from '../../domain/dyno.js';
import type { Fault } from '../../domain/fault.js';

/**
 * How a command ended. What the dyno reports counts once all output has come as well: a way that is lost between the
 * two has cut something off, and is no success.
 */
export class Ending {
  readonly exit: Promise<DynoExit>;
  /** Resolves when the dyno has told how it ended, or never will. */
  readonly told: Promise<void>;
  #resolve: (exit: DynoExit) => void = () => undefined;
  #reject: (fault: Fault) => void = () => undefined;
  #tell: () => void = () => undefined;
  #report: DynoExit | Fault | undefined;
  #isOutputOver = false;

  constructor() {
    this.exit = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever was cut off before they could listen to it has other troubles.
    this.exit.catch(() => undefined);
    this.told = new Promise((resolve) => (this.#tell = resolve));
  }

  get isTold(): boolean {
    return this.#report !== undefined;
  }

  /** The dyno tells. The first time counts, whatever else it tells later. */
  report(exit: DynoExit | Fault): void {
    this.#report ??= exit;
    this.#tell();
    if (this.#isOutputOver) this.settle();
  }

  outputIsOver(): void {
    this.#isOutputOver = true;
    if (this.isTold) this.settle();
  }

  /** As it was told, if it was: for whoever wants no more of the output. */
  settle(): void {
    if (this.#report === undefined) return;
    if ('kind' in this.#report) this.#resolve(this.#report);
    else this.#reject(this.#report);
  }

  /** Nothing more will come. */
  lose(fault: Fault): void {
    this.#report ??= fault;
    this.#tell();
    this.#reject(fault);
  }
}
