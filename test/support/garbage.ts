/** This process' memory, without what is garbage. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What one collection frees may free more in the next. */
const ROUNDS = 3;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What objects and buffers take that are in use. */
export async function usedBytes(): Promise<number> {
  for (let n = 0; n < ROUNDS; n += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
