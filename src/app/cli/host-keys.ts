import type { Command } from 'commander';
import { loadHostKeys } from '../../adapters/ssh2/host-keys.js';
import { hostKeysAt } from '../container.js';
import { json, terminal } from './output.js';
import type { Configure } from './context.js';

/** `hostkey …`: what clients check the server by. */
export function addHostKeyCommand(program: Command, configure: Configure): void {
  program
    .command('hostkey')
    .description("The server's own keys.")
    .command('show')
    .description('Show the public halves and fingerprints, for known_hosts.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      const config = configure();
      const keys = loadHostKeys(...hostKeysAt(config));
      if (keys.length === 0) throw new Error('there are no host keys yet: the first start makes them (gitmouth serve)');
      const shown = keys.map(({ algorithm, fingerprint, publicLine }) => ({
        algorithm,
        fingerprint,
        publicKey: publicLine,
      }));
      if (options.json) terminal.out(json(shown));
      else for (const key of shown) terminal.out(`${key.fingerprint}\n  ${key.publicKey}`);
    });
}
