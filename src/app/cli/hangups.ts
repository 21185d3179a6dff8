import { closeSync, openSync } from 'node:fs';

/**
 * SIGHUP, which ends a program that does not listen for it: heard from the making of this on. Little is loaded with it, so
 * that a server hears it before everything else.
 */
export class Hangups {
  readonly #hadTerminal = hasTerminal();
  #isWaiting = false;
  #tell = (): void => {
    this.#isWaiting = true;
  };

  constructor() {
    process.on('SIGHUP', () => {
      this.#tell();
    });
  }

  /** Whether the window is closed that this program was started in: then nobody has asked for anything by SIGHUP. */
  isWindowClosed(): boolean {
    return this.#hadTerminal && !hasTerminal();
  }

  /** @param tell is called for each from now on, and at once where one came before. */
  listen(tell: () => void): void {
    this.#tell = tell;
    if (this.#isWaiting) tell();
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
