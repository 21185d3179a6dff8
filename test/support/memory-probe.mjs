/** Loaded into a server by NODE_OPTIONS: upon SIGUSR2 it collects garbage and says what is in use, as one line. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const ROUNDS = 3;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('SIGUSR2', async () => {
  for (let n = 0; n < ROUNDS; n += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.stderr.write(`${JSON.stringify({ memory: process.memoryUsage() })}\n`);
});
