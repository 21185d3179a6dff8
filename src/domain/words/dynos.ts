import type { DynosFull } from '../dyno-queue.js';

/** What runs already, as a clause of a sentence: "16 commands of yours run here". */
export function runningClause({ full, limit }: DynosFull): string {
  const commands = limit === 1 ? '1 command' : `${limit} commands`;
  const run = limit === 1 ? 'runs' : 'run';
  switch (full) {
    case 'connection':
      return `${commands} ${run} over this connection`;
    case 'user':
      return `${commands} of yours ${run} here`;
    case 'server':
      return `this server runs ${commands}`;
  }
}
