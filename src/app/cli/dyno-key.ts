import type { Command } from 'commander';
import { makeDataFolder } from '../data-folder.js';
import { dynoKey } from '../platforms/http.js';
import { json, terminal } from './output.js';
import type { Configure } from './context.js';

/** `dynokey …`: what dynos that are reached over SSH let gitmouth in by. */
export function addDynoKeyCommand(program: Command, configure: Configure): void {
  program
    .command('dynokey')
    .description('The key that gitmouth shows its dynos over SSH.')
    .command('show')
    .description('Show its public half, for the authorized_keys of dynos; made when missing.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      const config = configure();
      const { platform } = config;
      if (platform.kind !== 'http') {
        throw new Error(`GITMOUTH_PLATFORM is '${platform.kind}', which has no dynos over SSH: there is no such key`);
      }
      makeDataFolder(config);
      const { fingerprint, publicKey } = dynoKey(config, platform);
      terminal.out(options.json ? json({ fingerprint, publicKey }) : publicKey);
    });
}
