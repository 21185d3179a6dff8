import { Readable, Writable } from 'node:stream';

/**
 * Two ends like those of an operating system's pipe: a write is taken once the reader has room; a reader whose writer
 * has gone reads what was taken and then the end; a writer whose reader has gone writes in vain.
 */
export interface Pipe {
  readonly writable: Writable;
  readonly readable: Readable;
  /** Lets no write, and no end, through from now on. */
  hold(): void;
  letGo(): void;
}

export function pipe(): Pipe {
  let isHeld = false;
  let held: (() => void) | undefined;
  const unlessHeld = (act: () => void) => {
    if (isHeld) held = act;
    else act();
  };
  let taken: (() => void) | undefined;
  const take = () => {
    const done = taken;
    taken = undefined;
    done?.();
  };
  const readable = new Readable({
    read: take,
    destroy(error, done) {
      writable.destroy();
      done(error);
    },
  });
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      unlessHeld(() => {
        // By way of the event loop, or an endless writer and a willing reader would keep everybody else from running.
        if (readable.push(chunk)) setImmediate(done);
        else taken = done;
      });
    },
    destroy(error, done) {
      if (!readable.destroyed && !readable.readableEnded) readable.push(null);
      take();
      done(error);
    },
    final(done) {
      unlessHeld(() => {
        readable.push(null);
        done();
      });
    },
  });
  return {
    writable,
    readable,
    hold: () => {
      isHeld = true;
    },
    letGo: () => {
      isHeld = false;
      const act = held;
      held = undefined;
      act?.();
    },
  };
}

/** Bytes held between the ends; none once nobody can read them. */
export function heldBytes({ writable, readable }: Pipe): number {
  return readable.destroyed ? 0 : writable.writableLength + readable.readableLength;
}
